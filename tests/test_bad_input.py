"""Whatever a peer sends gets a clear answer: a status below 500 or a close code, no traceback."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from websockets.sync.client import connect

from tests.processes import Process, running
from tests.raw import CLOSE, Answer, frame, hang_up, request, talk, upgrade

PATHS = {
    "nul": b"/%00",
    "invalid utf-8, encoded": b"/%ff%fe",
    "invalid utf-8, raw": b"/\xff\xfe",
    "utf-8, raw": "/küche".encode(),
    "utf-8, encoded": b"/k%C3%BCche",
    "half an escape": b"/%",
    "no escape": b"/%zz",
    "line feed": b"/%0d%0aSet-Cookie:%20a=b",
    "long": b"/" + b"a" * 60_000,
    "too long": b"/" + b"a" * 200_000,
    "up": b"/../../etc/passwd",
    "up, encoded": b"/%2e%2e/%2e%2e/etc/passwd",
    "two slashes": b"//evil.example/",
    "many slashes": b"/" * 300,
    "static, up": b"/static/../settings.py",
    "static, up, encoded": b"/static/%2e%2e/settings.py",
    "static, nul": b"/static/%00",
    "static, folder": b"/static/realtime/",
    "query, raw": b"/?\xff",
    "query, encoded": b"/?next=%ff%00",
    "login, foreign next": b"/accounts/login/?next=//evil.example",
    "absolute": b"http://evil.example/",
    "star": b"*",
    "no slash": b"echo",
    "empty": b"",
    "admin": b"/admin/nothing/%ff/",
    "a WebSocket's": b"/ws/echo/",
    "a WebSocket's, line feed": b"/ws/echo/%0a",
    "no WebSocket's": b"/ws/nothing/",
}
METHODS = b"GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT PROPFIND FOO get".split()
HEADERS = {
    "no host": b"Host:",
    "two hosts": b"Host: 127.0.0.1\r\nHost: evil.example",
    "host, raw": b"Host: \xff\xfe",
    "host, spaces": b"Host: a b",
    "host, half an address": b"Host: [::1",
    "host, bracket": b"Host: [",
    "host, port": b"Host: 127.0.0.1:x",
    "host, no port": b"Host: 127.0.0.1:",
    "host, large port": b"Host: 127.0.0.1:99999999",
    "host, long": b"Host: " + b"a" * 9_000,
    "cookie, raw": b"Cookie: realtime_session=\xff\xfe; realtime_csrf=\xff",
    "cookie, odd": b"Cookie: ;;=;=a;realtime_session=;realtime_csrf",
    "cookie, foreign": b"Cookie: realtime_session=" + b"a" * 32,
    "cookie, long": b"Cookie: a=" + b"a" * 20_000,
    "cookies, two": b"Cookie: realtime_session=a\r\nCookie: realtime_session=b",
    "origin, raw": b"Origin: \xff",
    "origin, half an address": b"Origin: http://[",
    "origin, null": b"Origin: null",
    "origin, long": b"Origin: http://" + b"a" * 9_000,
    "origin, empty": b"Origin:",
    "forwarded, raw": b"X-Forwarded-For: \xff\r\nX-Forwarded-Proto: \xff",
    "forwarded, odd": b"X-Forwarded-For: ,,a,\r\nX-Forwarded-Proto: gopher",
    "language": b"Accept-Language: \xff;q=x,*;q=999",
    "encoding": b"Accept-Encoding: \xff, gzip;q=x",
    "modified": b"If-Modified-Since: never\r\nIf-None-Match: \xff",
    "range": b"Range: bytes=9-1,\xff",
    "length, negative": b"Content-Length: -1",
    "length, two": b"Content-Length: 1\r\nContent-Length: 2",
    "name, raw": b"X-\xff: 1",
    "name, empty": b": 1",
    "value, control": b"X-Y: a\x01b",
    "value, folded": b"X-Y: a\r\n b",
    "many": b"\r\n".join(b"X-%d: 1" % number for number in range(300)),
}
UPGRADES = {
    "no key": upgrade().replace(b"Sec-WebSocket-Key", b"X-Key"),
    "bad key": upgrade().replace(b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: !"),
    "old version": upgrade().replace(b"Version: 13", b"Version: 8"),
    "version, raw": upgrade().replace(b"Version: 13", b"Version: \xff"),
    "two origins": upgrade(b"/ws/echo/", b"Origin: http://127.0.0.1", b"Origin: null"),
    "protocol, raw": upgrade(b"/ws/echo/", b"Sec-WebSocket-Protocol: \xff,;"),
    "extension, raw": upgrade(b"/ws/echo/", b"Sec-WebSocket-Extensions: \xff;=="),
    "extension, odd": upgrade(
        b"/ws/echo/", b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=999"
    ),
    "with a body": upgrade(b"/ws/echo/", b"Content-Length: 5") + b"hello",
    "chunked": upgrade(b"/ws/echo/", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "another protocol": upgrade().replace(b"Upgrade: websocket", b"Upgrade: h2c"),
    "POST": upgrade(method=b"POST"),
    "HTTP/1.0": upgrade().replace(b"HTTP/1.1", b"HTTP/1.0"),
}
FRAMES = {
    "a reserved bit": (frame(1, b"hi", reserved=4), 1002),
    "all reserved bits": (frame(1, b"hi", reserved=7), 1002),
    "an unknown opcode": (frame(3, b"hi"), 1002),
    "an unknown control opcode": (frame(11), 1002),
    "no mask": (frame(1, b"hi", masked=False), 1002),
    "a ping too long": (frame(9, b"x" * 126), 1002),
    "a ping in parts": (frame(9, b"x", fin=False), 1002),
    "invalid utf-8": (frame(1, b"\xff\xfe"), 1007),
    "a surrogate": (frame(1, b"\xed\xa0\x80"), 1007),
    "invalid utf-8 in parts": (frame(1, b"\xc3", fin=False) + frame(0, b"\xff"), 1007),
    "half a character": (frame(1, b"\xc3"), 1007),
    "invalid utf-8, then more": (frame(1, b"\xff") + frame(1, b"hi"), 1007),
    "invalid utf-8, then a close": (frame(1, b"\xff") + CLOSE, 1000),
    "a part of nothing": (frame(0, b"hi"), 1002),
    "a message inside another": (frame(1, b"a", fin=False) + frame(1, b"b"), 1002),
    "half a close code": (frame(8, b"\x03"), 1002),
    "a close code below 1000": (frame(8, struct.pack(">H", 999)), 1002),
    "a close code that is never sent": (frame(8, struct.pack(">H", 1005)), 1002),
    "a close reason of invalid utf-8": (frame(8, struct.pack(">H", 1000) + b"\xff"), 1007),
    "a size beyond the library's": (frame(2, b"x", length=2**40), 1009),
    "a size beyond all": (frame(2, b"x", length=2**63), 1009),
    "one byte above the limit": (frame(2, b"x" * 65_537), 1009),
    "parts above the limit": (frame(2, b"x" * 40_000, fin=False) + frame(0, b"x" * 40_000), 1009),
    "empty parts": (frame(2, fin=False) + frame(0, fin=False) * 1000 + frame(0) + CLOSE, 1000),
    "pongs for nothing": (frame(10, b"x") * 100 + CLOSE, 1000),
    "a close without a code": (frame(8), 1005),
    "two closes": (CLOSE + CLOSE, 1000),
}


@pytest.fixture(scope="module")
def server_under_fire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """One server for all of this; when it ends, its whole log must be clean."""
    command = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    with running(*command, folder=tmp_path_factory.mktemp("target")) as process:
        yield process
        assert_unharmed(process)
    assert_clean(process)


@pytest.fixture
def target(server_under_fire: Process) -> Iterator[Process]:
    """The server, and a look at what it has logged meanwhile."""
    before = len(server_under_fire.said())
    yield server_under_fire
    assert_clean(server_under_fire, since=before)


def assert_clean(process: Process, *, since: int = 0) -> None:
    said = process.said()[since:]
    for word in ("Traceback", "Error ", "ERROR", " 500", "Warning"):
        if word in said:
            place = said.index(word)
            pytest.fail(f"{word!r} in the log:\n{said[max(0, place - 300) : place + 6000]}")


def assert_unharmed(process: Process) -> None:
    assert httpx.get(process.http("/healthz")).json() == {"status": "ok"}
    with connect(process.ws("/ws/echo/")) as socket:
        socket.send("still here")
        assert socket.recv(timeout=5) == "still here"


def assert_clear(answer: Answer) -> None:
    """A page's status below 500, or a close code that says why."""
    assert answer.ended, f"no end of the answer after {answer.data[:200]!r}"
    assert answer.status is not None, f"no answer but {answer.data[:200]!r}"
    assert answer.status < 500
    if answer.status == 101:
        assert answer.close_code is not None


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_any_path_gets_a_clear_answer(target: Process, path: bytes) -> None:
    answer = talk(target.port, request(path))
    assert_clear(answer)
    assert b"SECRET" not in answer.data
    assert b"root:" not in answer.data
    assert_clear(talk(target.port, upgrade(path), CLOSE))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", [b"/", b"*", b"/ws/echo/", b"/accounts/login/", b"/static/a.css"])
def test_any_method_gets_a_clear_answer(target: Process, method: bytes, path: bytes) -> None:
    body = b"" if method in b"GET HEAD" else b"a=b"
    length = b"Content-Length: %d" % len(body)
    assert_clear(talk(target.port, request(path, length, method=method, body=body)))


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("path", [b"/", b"/accounts/login/", b"/static/realtime/realtime.css"])
def test_any_header_gets_a_clear_answer(target: Process, path: bytes, header: bytes) -> None:
    assert_clear(talk(target.port, request(path, header)))


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_any_header_of_a_websocket_gets_a_clear_answer(target: Process, header: bytes) -> None:
    assert_clear(talk(target.port, upgrade(b"/ws/echo/", header), CLOSE))


@pytest.mark.parametrize("bad", UPGRADES.values(), ids=UPGRADES)
def test_any_handshake_gets_a_clear_answer(target: Process, bad: bytes) -> None:
    assert_clear(talk(target.port, bad, CLOSE))


@pytest.mark.parametrize(("frames", "code"), FRAMES.values(), ids=FRAMES)
def test_any_frame_gets_a_close_code(target: Process, frames: bytes, code: int) -> None:
    answer = talk(target.port, upgrade(), frames)
    assert answer.close_code == code


@pytest.mark.parametrize("rest", [b"\xff\xff\xff\xff", b"\x00" * 50], ids=["garbage", "zeros"])
def test_compressed_garbage_gets_a_close_code(target: Process, rest: bytes) -> None:
    offer = b"Sec-WebSocket-Extensions: permessage-deflate"
    answer = talk(target.port, upgrade(b"/ws/echo/", offer), frame(1, rest, reserved=4))
    assert answer.close_code in (1002, 1007)


@pytest.mark.parametrize(
    "packets",
    [
        (b"GET / HT",),
        (upgrade()[:-2],),
        (upgrade(),),
        (upgrade(), frame(2, b"x", length=1000)),
        (upgrade(), frame(1, b"x" * 60_000) * 20),
        (upgrade(b"/ws/nothing/"),),
        (request(b"/", b"Content-Length: 100", method=b"POST", body=b"a"),),
    ],
    ids=["request", "headers", "handshake", "frame", "echoes", "refusal", "body"],
)
def test_a_peer_that_hangs_up_in_the_middle_leaves_no_traceback(
    target: Process, packets: tuple[bytes, ...]
) -> None:
    for _ in range(5):
        hang_up(target.port, *packets)
    assert_unharmed(target)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"SSH-2.0-x\r\n", b"\0\r\n\r\n"]
)
def test_what_is_not_http_gets_a_400(target: Process, garbage: bytes) -> None:
    assert talk(target.port, garbage).status == 400


def test_a_random_walk_through_requests_and_frames_breaks_nothing(target: Process) -> None:
    # A fixed seed: what fails once fails again.
    chance = random.Random(20)
    headers = list(HEADERS.values())
    seeds = [request(path, chance.choice(headers)) for path in PATHS.values() if len(path) < 999]
    seeds += [upgrade(b"/ws/echo/", chance.choice(headers)) for _ in range(20)]
    requests = [mutated(chance.choice(seeds), chance) for _ in range(400)]
    frames = b"".join(data for data, _ in FRAMES.values() if len(data) < 999)
    floods = [mutated(frames, chance)[chance.randrange(200) :] for _ in range(150)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda data: talk(target.port, data, timeout=0.5), requests))
        list(pool.map(lambda data: talk(target.port, upgrade(), data, timeout=0.5), floods))
    statuses = {answer.status for answer in answers if answer.status}  # others were incomplete
    assert statuses >= {200, 400, 404}
    assert max(statuses) < 500


def mutated(data: bytes, chance: random.Random) -> bytes:
    """`data` with a few bytes changed, put in, or taken out."""
    text = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(text) or 1)
        new = bytes(chance.choices(b"\x00\r\n %:;,/?#[]@\xff\x80a0", k=chance.randrange(3)))
        text[place : place + chance.randrange(3)] = new
    return bytes(text)
