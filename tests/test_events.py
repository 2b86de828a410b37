"""A room as Server-Sent Events, on a real server."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from channels.layers import get_channel_layer

from realtime import publish
from realtime.testing import ServerAddress
from realtime.web import events


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
async def reading(server: ServerAddress, room: str, **headers: str) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", server.http(f"/api/rooms/{room}/events/"), headers=headers) as answer,
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
        assert welcome["event"] == "welcome"
        epoch = json.loads(welcome["data"])["epoch"]
        publish("kitchen", {"temp": "21\n22"})
        event = await stream.block()
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
    await until(lambda: not layer.groups and not events._open)


async def test_a_reader_that_stalls_is_cut_and_the_others_are_not(server: ServerAddress) -> None:
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect((server.host, server.port))
    stalled.sendall(b"GET /api/rooms/kitchen/events/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with stalled:
        async with reading(server, "kitchen") as stream, asyncio.timeout(30):
            await stream.block()
            await until(lambda: len(events._open) == 2)
            while len(events._open) > 1:
                publish("kitchen", "x" * 60_000)
                await stream.block()
            publish("kitchen", "after")
            assert "after" in (await stream.block())["data"]


async def test_streams_are_bounded_and_guarded(
    server: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with httpx.AsyncClient(base_url=server.http("/api/rooms/")) as client:
        answer = await client.get("kitchen/events/", headers={"Origin": "http://evil.com"})
        assert answer.status_code == 403
        monkeypatch.setattr(events, "MOST_STREAMS", 0)
        answer = await client.get("kitchen/events/")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "full")
