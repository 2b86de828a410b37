"""Which Host and which Origin get in: a phone in the room does, a stranger's web page does not."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from realtime.hosts import AnyAddress, HostGuard, close_reason, local_hosts
from realtime.testing import ServerAddress
from tests.raw import CLOSE, Answer, request, talk, upgrade

LAN = "192.168.0.7:8000"

# Host header → does this server serve it, with no setting?
HOSTS = {
    "127.0.0.1": True,
    "127.0.0.1:8000": True,
    "localhost": True,
    "localhost:8000": True,
    "LOCALHOST:8000": True,
    "localhost.": True,
    "app.localhost": True,
    "192.168.0.7:8000": True,
    "10.1.2.3": True,
    "172.16.0.9:8000": True,
    "100.64.0.1:8000": True,
    "8.8.8.8": True,
    "[::1]:8000": True,
    "[fd00::2]:8000": True,
    "[fe80::1]": True,
    "[::ffff:192.168.0.7]:8000": True,
    "kitchen.local:8000": True,
    "kitchen.local.": True,
    socket.gethostname(): True,
    f"{socket.gethostname().upper()}:8000": True,
    "evil.example": False,
    "evil.example:8000": False,
    "192.168.0.7.evil.example": False,
    "192-168-0-7.evil.example": False,
    "127.0.0.1.nip.example": False,
    "localhost.evil.example": False,
    "evil-local": False,
    "evillocal": False,
    "local.evil.example": False,
    "192.168.0.7:8000,evil.example": False,
    "192.168.0.256": False,
    "0x7f000001": False,
    "[::1": False,
    "[": False,
    "::1": False,
    "a b": False,
    "": False,
    "127.0.0.1:port": False,
    "user@127.0.0.1": False,
    "127.0.0.1/path": False,
    "<any address>": False,
    "*": False,
}

# (Origin, Host) → may a page of that origin open a WebSocket here, with no setting?
ORIGINS = {
    (None, LAN): True,
    (f"http://{LAN}", LAN): True,
    ("http://LOCALHOST:8000", "localhost:8000"): True,
    ("http://[fd00::2]:8000", "[fd00::2]:8000"): True,
    ("http://kitchen.local:8000", "kitchen.local:8000"): True,
    ("http://127.0.0.1", "127.0.0.1"): True,
    ("http://127.0.0.1:80", "127.0.0.1"): True,
    ("http://127.0.0.1", "127.0.0.1:80"): True,
    ("https://127.0.0.1", "127.0.0.1"): True,
    ("https://127.0.0.1", "127.0.0.1:443"): True,
    ("http://192.168.0.7:9000", LAN): False,
    ("http://192.168.0.7", LAN): False,
    ("https://127.0.0.1", "127.0.0.1:80"): False,
    ("http://192.168.0.8:8000", LAN): False,
    ("http://evil.example", LAN): False,
    ("http://evil.example:8000", LAN): False,
    (f"http://{LAN}.evil.example", LAN): False,
    (f"http://{LAN}@evil.example", LAN): False,
    (f"http://user@{LAN}", LAN): False,
    (f"http://{LAN}/", LAN): False,
    (f"ftp://{LAN}", LAN): False,
    (f"chrome-extension://{LAN}", LAN): False,
    ("file://", LAN): False,
    ("null", LAN): False,
    ("", LAN): False,
    ("http://", LAN): False,
    ("http://[", LAN): False,
    ("http://[::1", LAN): False,
    ("://", LAN): False,
    (LAN, LAN): False,
    ("http://localhost:8000", "127.0.0.1:8000"): False,
}


def scope(kind: str, **headers: str | None) -> dict[str, Any]:
    pairs = [
        (name.encode(), text.encode("latin-1"))
        for name, text in headers.items()
        if text is not None
    ]
    return {"type": kind, "headers": pairs, "client": ("192.0.2.9", 50_000), "path": "/"}


async def refusal(scope: dict[str, Any]) -> str | None:
    """What the guard says to the peer, or None when it lets them in."""
    sent: list[dict[str, Any]] = []
    let_in = False

    async def application(*_: object) -> None:
        nonlocal let_in
        let_in = True

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await HostGuard(application)(scope, receive, send)
    if let_in:
        assert sent == []
        return None
    if scope["type"] == "http":
        assert sent[0]["status"] == 400
        return str(sent[1]["body"].decode())
    assert sent[0] == {"type": "websocket.accept"}
    assert sent[1]["code"] == 4403
    return str(sent[1]["reason"])


@pytest.mark.parametrize(("host", "served"), HOSTS.items())
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_host_is_served_when_no_stranger_can_point_it_here(
    settings: Any, kind: str, host: str, served: bool
) -> None:
    settings.ALLOWED_HOSTS = local_hosts()
    said = await refusal(scope(kind, host=host))
    assert (said is None) is served
    assert served or "ALLOWED_HOSTS" in (said or "")


@pytest.mark.parametrize(("pair", "may"), ORIGINS.items())
async def test_an_origin_may_open_a_websocket_when_it_is_this_host(
    settings: Any, pair: tuple[str | None, str], may: bool
) -> None:
    settings.ALLOWED_HOSTS = local_hosts()
    said = await refusal(scope("websocket", origin=pair[0], host=pair[1]))
    assert (said is None) is may
    assert may or "CSRF_TRUSTED_ORIGINS" in (said or "")


async def test_a_page_may_be_asked_for_from_any_origin() -> None:
    assert await refusal(scope("http", origin="http://evil.example", host=LAN)) is None


async def test_a_rebinding_name_is_refused_though_its_origin_agrees() -> None:
    both = scope("websocket", origin="http://evil.example:8000", host="evil.example:8000")
    assert "ALLOWED_HOSTS" in (await refusal(both) or "")


async def test_http_without_a_host_is_left_to_django_and_a_websocket_is_refused() -> None:
    assert await refusal(scope("http")) is None
    assert "Host ''" in (await refusal(scope("websocket")) or "")


async def test_two_headers_of_a_name_match_nothing() -> None:
    twice = scope("http", host=LAN)
    twice["headers"] *= 2
    assert "ALLOWED_HOSTS" in (await refusal(twice) or "")
    twice = scope("websocket", host=LAN, origin=f"http://{LAN}")
    twice["headers"].append((b"origin", b"http://evil.example"))
    assert "CSRF_TRUSTED_ORIGINS" in (await refusal(twice) or "")


async def test_a_name_in_allowed_hosts_is_served(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["chat.example", ".team.example", *local_hosts()]
    for host in ("chat.example", "CHAT.example:8000", "team.example", "a.team.example"):
        assert await refusal(scope("http", host=host)) is None
    assert await refusal(scope("http", host="a.chat.example"))


async def test_a_star_serves_every_name(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert await refusal(scope("http", host="any.example")) is None


async def test_a_project_with_debug_and_no_hosts_serves_this_machine(settings: Any) -> None:
    settings.ALLOWED_HOSTS, settings.DEBUG = [], True
    assert await refusal(scope("http", host="localhost:8000")) is None
    assert await refusal(scope("http", host="evil.example"))


@pytest.mark.parametrize(
    ("trusted", "origin", "may"),
    [
        ("https://chat.example", "https://chat.example", True),
        ("https://chat.example", "https://CHAT.example", True),
        ("https://chat.example", "http://chat.example", False),
        ("https://chat.example", "https://a.chat.example", False),
        ("https://chat.example", "https://chat.example:8443", False),
        ("https://chat.example:8443", "https://chat.example:8443", True),
        ("https://*.example", "https://a.example", True),
        ("https://*.example", "https://a.b.example", True),
        ("https://*.example", "https://evilexample", False),
        ("https://*.example", "http://a.example", False),
        ("nonsense", "nonsense", False),
        ("nonsense", "http://nonsense", False),
    ],
)
async def test_a_trusted_origin_may_open_a_websocket(
    settings: Any, trusted: str, origin: str, may: bool
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [trusted]
    assert (await refusal(scope("websocket", host=LAN, origin=origin)) is None) is may


async def test_a_client_without_origin_is_refused_when_the_setting_says_so(settings: Any) -> None:
    settings.REALTIME_STRICT_ORIGIN = True
    assert "REALTIME_STRICT_ORIGIN" in (await refusal(scope("websocket", host=LAN)) or "")
    assert await refusal(scope("websocket", host=LAN, origin=f"http://{LAN}")) is None
    assert await refusal(scope("http", host=LAN)) is None


async def test_a_refusal_is_one_line_in_the_log_that_names_peer_and_setting(
    logged: list[str],
) -> None:
    await refusal(scope("websocket", host=LAN, origin="http://evil.example"))
    await refusal(scope("http", host="evil\x1b[31m.example"))
    assert logged == [
        "websocket from 192.0.2.9 refused: "
        "Origin 'http://evil.example' is not this host: add it to CSRF_TRUSTED_ORIGINS.",
        "http from 192.0.2.9 refused: "
        r"Host 'evil\x1b[31m.example' is not served here: add it to ALLOWED_HOSTS.",
    ]


async def test_a_peer_without_an_address_is_refused_as_well() -> None:
    nobody = scope("http", host="evil.example") | {"client": None}
    assert await refusal(nobody)


def test_a_close_reason_is_cut_between_characters() -> None:
    assert close_reason("short") == "short"
    assert close_reason("é" * 100) == "é" * 61  # 122 bytes: the next one does not fit into 123


def test_the_pattern_for_any_address_equals_addresses_only() -> None:
    pattern = AnyAddress("<any address>")
    assert pattern == "10.0.0.1"
    assert pattern == "[::1]"
    assert pattern != "evil.example"
    assert pattern.lower() is pattern  # what Django compares is not this, but what it lower-cased


# --- On a real server ----------------------------------------------------------------------------


async def ask(server: ServerAddress, *packets: bytes) -> Answer:
    return await asyncio.to_thread(talk, server.port, *packets)


async def test_a_phone_gets_the_page_and_the_socket(server: ServerAddress) -> None:
    host = b"Host: 192.168.0.7:8000"
    assert (await ask(server, request(b"/", host))).status == 200
    answer = await ask(
        server, upgrade(b"/ws/echo/", host, b"Origin: http://192.168.0.7:8000"), CLOSE
    )
    assert (answer.status, answer.close_code) == (101, 1000)


async def test_a_strange_name_gets_a_400_in_words(server: ServerAddress) -> None:
    answer = await ask(server, request(b"/", b"Host: evil.example"))
    assert answer.status == 400
    assert answer.body == b"Host 'evil.example' is not served here: add it to ALLOWED_HOSTS.\n"


async def test_a_strange_page_gets_4403_with_the_reason(server: ServerAddress) -> None:
    async with connect(server.ws("/ws/echo/"), origin="http://evil.example") as socket:  # type: ignore[arg-type]
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4403
    assert "add it to CSRF_TRUSTED_ORIGINS" in closed.value.rcvd.reason


async def test_a_rebinding_name_gets_4403(server: ServerAddress) -> None:
    answer = await ask(
        server, upgrade(b"/ws/echo/", b"Host: evil.example", b"Origin: http://evil.example")
    )
    assert answer.close_code == 4403


@pytest.mark.parametrize(("name", "names"), [("vm", ["vm"]), ("vm.lan", ["vm.lan", "vm"])])
def test_a_machine_without_a_domain_has_one_name(
    monkeypatch: pytest.MonkeyPatch, name: str, names: list[str]
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    assert local_hosts()[2:-1] == names
