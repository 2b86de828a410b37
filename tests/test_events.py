"""A room as Server-Sent Events, on a real server."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from channels.layers import get_channel_layer

from examples.poll import Poll
from realtime import publish
from realtime.hub import serve_here
from realtime.room_consumer import Refused
from realtime.rooms import Receipt
from realtime.serving import stopping
from realtime.testing import ServerAddress, serving
from tests.processes import Process
from tests.wire import opened


class Stream:
    """Reads events as a browser's EventSource does."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def block(self) -> dict[str, str]:
        """The fields of the next event; a comment stands under the empty name."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(5):
            async for line in self._lines:
                if not line and fields:
                    return fields
                name, _, value = line.partition(": ")
                fields[name] = value
        raise AssertionError("the stream has ended")


@asynccontextmanager
async def reading(
    server: ServerAddress, room: str, *, query: str = "", **headers: str
) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient() as client,
        client.stream(
            "GET", server.http(f"/api/rooms/{room}/events/{query}"), headers=headers
        ) as answer,
    ):
        yield Stream(answer)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (the server says nothing when a reader has gone)
            await asyncio.sleep(0.01)


async def test_what_is_published_comes_as_an_event(server: ServerAddress) -> None:
    async with reading(server, "kitchen") as stream:
        assert stream.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        welcome = await stream.block()
        assert (welcome["event"], welcome["retry"]) == ("welcome", "2000")
        publish("kitchen", {"temp": "21\n22"})
        event = await stream.block()
        epoch = serve_here().rooms["kitchen"].history.epoch
        assert (event["event"], event["id"]) == ("message", f"{epoch}:1")
        assert json.loads(event["data"])["data"] == {"temp": "21\n22"}
        publish("kitchen", "now", volatile=True)
        event = await stream.block()
        assert event["event"] == "signal"
        assert "id" not in event


async def test_who_comes_back_gets_all_it_missed(server: ServerAddress) -> None:
    for number in range(4):
        publish("log", number)
    async with reading(server, "log") as stream:
        state = json.loads((await stream.block())["data"])
        assert (state["offset"], state["recovered"]) == (4, None)
    async with reading(server, "log", **{"Last-Event-ID": f"{state['epoch']}:2"}) as stream:
        assert json.loads((await stream.block())["data"])["recovered"] is True
        assert [(await stream.block())["id"] for _ in range(2)] == [
            f"{state['epoch']}:3",
            f"{state['epoch']}:4",
        ]


@pytest.mark.parametrize("last", ["old:2", "", ":", "1", "x:y", "x:" + "9" * 40, "a:b:3"])
async def test_a_gap_is_said_and_nonsense_is_no_error(server: ServerAddress, last: str) -> None:
    publish("log", 1)
    async with reading(server, "log", **{"Last-Event-ID": last}) as stream:
        assert json.loads((await stream.block())["data"])["recovered"] is not True


async def test_a_stream_of_a_kinds_room_asks_for_the_token_and_not_its_authorize(
    server: ServerAddress, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(self: Any, action: str, message: Any = None) -> None:
        raise Refused("Not you.")

    monkeypatch.setattr(Poll, "authorize", nobody)
    settings.REALTIME_API_TOKEN = "secret"
    async with opened(server.ws("/ws/examples/poll/drinks/")) as browser:
        assert (await browser.until_closed())[:2] == (4403, "Not you.")
    async with reading(server, "poll/drinks") as stream:
        assert stream.answer.status_code == 401
    publish("poll/drinks", "before")
    query, headers = "?history=1", {"Authorization": "Bearer secret"}
    async with reading(server, "poll/drinks", query=query, **headers) as stream:
        assert (await stream.block())["event"] == "welcome"
        assert json.loads((await stream.block())["data"])["data"] == "before"
        publish("drinks", "of another room")
        publish("poll/drinks", "after")
        assert json.loads((await stream.block())["data"])["data"] == "after"


async def test_a_quiet_stream_shows_that_it_lives(server: ServerAddress, settings: Any) -> None:
    settings.REALTIME_HEARTBEAT = 0.05
    async with reading(server, "quiet") as stream:
        await stream.block()
        assert await stream.block() == {"": "still here"}


async def test_nothing_is_left_of_a_stream_that_ended(server: ServerAddress) -> None:
    layer: Any = get_channel_layer()
    async with reading(server, "kitchen") as stream:
        await stream.block()
        assert layer.groups
    await until(lambda: not layer.groups and not serve_here().readers)


@contextmanager
def stalled(server: ServerAddress) -> Iterator[None]:
    """A reader that asks and reads nothing."""
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect((server.host, server.port))
        peer.sendall(b"GET /api/rooms/kitchen/events/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield


async def test_a_reader_that_stalls_is_cut_and_the_others_are_not(
    server: ServerAddress, settings: Any, logged: list[str]
) -> None:
    settings.REALTIME_OUTBOX_BYTES = 200_000
    connections = server.server.server_state.connections
    with stalled(server):
        async with reading(server, "kitchen") as stream, asyncio.timeout(30):
            await stream.block()
            await until(lambda: serve_here().readers.total() == 2)
            while serve_here().readers.total() > 1:
                publish("kitchen", "x" * 60_000)
                await stream.block()
            assert len(logged) == 1
            assert re.search(r"room 'kitchen' was cut: 2\d\d,\d\d\d bytes wait", logged[0])
            await until(lambda: len(connections) == 1)  # not closed when it reads: gone
            publish("kitchen", "after")
            assert "after" in (await stream.block())["data"]


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_a_cut_reader_leaves_no_connection_by_either_parser(http: str, settings: Any) -> None:
    """Closed, its transport would wait for ever for it to read the rest."""
    from app import application

    settings.REALTIME_OUTBOX_BYTES = 200_000
    async with serving(application, http=http) as server:
        with stalled(server):
            await until(lambda: bool(serve_here().readers))
            async with asyncio.timeout(20):
                while serve_here().readers:
                    publish("kitchen", "x" * 60_000)
                    await asyncio.sleep(0)
            await until(lambda: not server.server.server_state.connections)


async def test_many_small_events_are_bounded_too(
    server: ServerAddress, settings: Any, logged: list[str]
) -> None:
    settings.REALTIME_OUTBOX_MESSAGES = 16
    settings.REALTIME_OUTBOX_BYTES = settings.REALTIME_SEND_TIMEOUT = 1_000_000_000
    with stalled(server):
        async with reading(server, "kitchen") as stream, asyncio.timeout(30):
            await stream.block()
            await until(lambda: serve_here().readers.total() == 2)
            while serve_here().readers.total() > 1:
                publish("kitchen", "x" * 10_000)
                await stream.block()
            assert len(logged) == 1


async def test_a_reader_that_takes_nothing_for_long_is_cut_however_little_waits(
    server: ServerAddress, settings: Any, logged: list[str]
) -> None:
    settings.REALTIME_SEND_TIMEOUT = 0.3
    settings.REALTIME_OUTBOX_BYTES = 1_000_000_000
    with stalled(server):
        await until(lambda: bool(serve_here().readers))
        for _ in range(200):  # more than the kernel takes
            publish("kitchen", "x" * 60_000)
        await until(lambda: not serve_here().readers and not server.server.server_state.connections)
    assert logged == ["An event stream of room 'kitchen' was cut: nothing was read for 0.3 s"]


async def test_a_quiet_reader_is_not_taken_for_a_stalled_one(
    server: ServerAddress, settings: Any
) -> None:
    settings.REALTIME_SEND_TIMEOUT, settings.REALTIME_HEARTBEAT = 0.1, 0.5
    async with reading(server, "quiet") as stream:
        await stream.block()
        assert await stream.block() == {"": "still here"}
        assert await stream.block() == {"": "still here"}


async def test_reading_a_room_does_not_make_it(server: ServerAddress, settings: Any) -> None:
    settings.REALTIME_MAX_ROOMS = 1
    publish("other", 1)
    async with reading(server, "nowhere") as stream:
        standing = json.loads((await stream.block())["data"])
        assert standing == {"epoch": None, "offset": 0, "recovered": None}
        assert list(serve_here().rooms) == ["other"]
    async with reading(server, "quiz/nowhere") as stream:
        assert json.loads((await stream.block())["data"])["epoch"] is None
        assert list(serve_here().rooms) == ["other"]
    async with reading(server, "nowhere", **{"Last-Event-ID": "gone:7"}) as stream:
        assert json.loads((await stream.block())["data"])["recovered"] is False


async def test_a_receipt_counts_who_reads_along(server: ServerAddress) -> None:
    async with reading(server, "kitchen") as stream, opened(server.ws("/ws/rooms/kitchen/")):
        await stream.block()
        assert publish("kitchen", 1) == Receipt(1, 2)
        assert publish("kitchen", 2, volatile=True) == Receipt(None, 2)
    await until(lambda: not serve_here().readers)
    assert publish("kitchen", 3) == Receipt(2, 0)


async def test_what_is_volatile_is_heard_where_nobody_is_but_a_stream(
    server: ServerAddress,
) -> None:
    async with reading(server, "nowhere") as stream:
        await stream.block()
        assert publish("nowhere", "now", volatile=True) == Receipt(None, 1)
        event = await stream.block()
        assert (event["event"], json.loads(event["data"])["data"]) == ("signal", "now")
        assert not serve_here().rooms


async def test_a_gauge_gets_the_latest_value_first(server: ServerAddress) -> None:
    for number in range(4):
        publish("gauge", number)
    async with reading(server, "gauge", query="?history=1") as stream:
        await stream.block()
        assert json.loads((await stream.block())["data"])["data"] == 3
    async with httpx.AsyncClient(base_url=server.http("/api/rooms/")) as client:
        answer = await client.get("gauge/events/?history=all")
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "history")


async def test_all_that_is_said_in_one_tick_comes_in_order(server: ServerAddress) -> None:
    async with reading(server, "kitchen") as stream:
        await stream.block()
        for number in range(300):
            # Some go out apart from those that a tick gathers.
            publish("kitchen", number, exclude=None if number % 3 else "nobody")
        got = [json.loads((await stream.block())["data"])["data"] for _ in range(300)]
        assert got == list(range(300))


async def test_a_head_opens_no_stream(server: ServerAddress) -> None:
    async with httpx.AsyncClient(base_url=server.http("/api/rooms/")) as client:
        answer = await client.head("kitchen/events/")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert not serve_here().readers


async def test_streams_are_bounded_and_guarded(server: ServerAddress, settings: Any) -> None:
    settings.REALTIME_MAX_STREAMS = 1
    async with httpx.AsyncClient(base_url=server.http("/api/rooms/")) as client:
        answer = await client.get("kitchen/events/", headers={"Origin": "http://evil.com"})
        assert answer.status_code == 403
        async with reading(server, "kitchen") as stream:
            await stream.block()
            answer = await client.get("kitchen/events/")
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "full")
        await until(lambda: not serve_here().readers)
        async with reading(server, "kitchen") as stream:
            assert (await stream.block())["event"] == "welcome"


STREAMS = 1_000


async def test_a_thousand_streams_at_once_all_hear_all(server: ServerAddress) -> None:
    resource: Any = pytest.importorskip("resource")
    own, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if own < 2 * STREAMS + 200:
        if most < 2 * STREAMS + 200:
            pytest.skip(f"no {2 * STREAMS} sockets here: see `ulimit -n`")
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    request = b"GET /api/rooms/crowd/events/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    readers = []
    for _ in range(STREAMS):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(request)
        readers.append((reader, writer))
    async with asyncio.timeout(60):
        for reader, _ in readers:
            await reader.readuntil(b"event: welcome\n")
        assert serve_here().readers.total() == STREAMS
        for word in ("one", "two"):
            receipt = publish("crowd", word)
            assert receipt
            assert receipt.offset
            for reader, _ in readers:
                head = await reader.readuntil(b"event: message\ndata: ")
                assert f":{receipt.offset}\n".encode() in head
                assert json.loads(await reader.readuntil(b"\n"))["data"] == word
        for _, writer in readers:
            writer.close()
        while serve_here().readers:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)


CURL = shutil.which("curl")


@pytest.mark.skipif(CURL is None, reason="no curl here")
async def test_curl_shows_it(server: ServerAddress) -> None:
    assert CURL
    url = server.http("/api/rooms/kitchen/events/")
    command = (CURL, "--no-progress-meter", "-N", url)
    curl = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert curl.stdout
    async with asyncio.timeout(20):
        await curl.stdout.readuntil(b"event: welcome\n")
        publish("kitchen", {"temp": 21.5})
        await curl.stdout.readuntil(b"event: message\n")
        line = await curl.stdout.readline()
        assert json.loads(line.removeprefix(b"data: "))["data"] == {"temp": 21.5}
        curl.terminate()
        await curl.communicate()


async def test_a_stop_does_not_wait_for_streams_and_ends_them_well(
    start: Callable[..., Process],
) -> None:
    process = start("-m", "uvicorn", "app:application", "--port", "{port}")
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", process.http("/api/rooms/kitchen/events/")) as answer,
    ):
        lines = answer.aiter_lines()
        await anext(lines)
        begun = time.monotonic()
        status = await asyncio.to_thread(process.stop)
        assert (status, time.monotonic() - begun < stopping.PATIENCE) == (0, True)
        assert [line async for line in lines][-1] == ""  # whole, and no error
    assert "were cut" not in process.said()
    assert "Traceback" not in process.said()
