"""Peers that take their time over HTTP: each has so many seconds, and a head so many bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from realtime.serving import patience
from realtime.serving.patience import Wait, limit_requests
from realtime.testing import ServerAddress, serving
from tests.raw import request, upgrade

LOTS = b"x" * 40_000_000


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK", 0.02)
    monkeypatch.setattr(patience, "PATIENCE", dict.fromkeys(Wait, 0.1))


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, waits for `/never`, answers with a lot at `/lots`."""
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/never":
        await asyncio.get_running_loop().create_future()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = LOTS if scope["path"] == "/lots" else b"hello"
    await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def peer(
    server: ServerAddress, data: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(data)
    yield reader, writer
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.fixture(params=["httptools", "h11"])
async def http(request: pytest.FixtureRequest) -> AsyncIterator[ServerAddress]:
    limit_requests()
    async with serving(application, lifespan="off", http=request.param) as server:
        yield server


async def everything(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


@pytest.mark.parametrize("start", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
async def test_a_head_that_does_not_end_is_answered_with_408(
    http: ServerAddress, start: bytes
) -> None:
    async with peer(http, start) as (reader, _):
        answer = await everything(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"did not come within 0.1 s.\n")


async def test_a_head_that_comes_byte_by_byte_gains_no_time(http: ServerAddress) -> None:
    async with peer(http, b"GET / HTTP/1.1\r\n") as (reader, writer):

        async def trickle() -> None:
            while True:
                writer.write(b"X: 1\r\n")
                await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        answer = await everything(reader)
        trickling.cancel()
    assert answer[:12] in (b"HTTP/1.1 408", b"")  # or the reset was faster


async def test_the_next_head_on_a_connection_has_its_time_too(http: ServerAddress) -> None:
    first = request(b"/").replace(b"Connection: close\r\n", b"")
    async with peer(http, first) as (reader, writer):
        await reader.readuntil(b"hello")
        writer.write(b"GET / HTTP/1.1\r\n")
        assert b" 408 " in await everything(reader)


async def test_a_body_that_does_not_come_ends_the_connection(http: ServerAddress) -> None:
    start = request(b"/", b"Content-Length: 20", method=b"POST", body=b"half of it")
    async with peer(http, start) as (reader, _):
        assert await everything(reader) == b""


async def test_a_long_body_has_more_time(
    http: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SLOWEST_BODY", 10)
    start = request(b"/", b"Content-Length: 20", method=b"POST", body=b"half of it")
    async with peer(http, start) as (reader, writer):
        await asyncio.sleep(0.5)  # longer than a short one has
        writer.write(b"other half")
        assert b"hello" in await everything(reader)


async def test_who_does_not_read_its_answer_is_cut(http: ServerAddress) -> None:
    async with peer(http, request(b"/lots")) as (_, writer):
        connections: Any = http.server.server_state.connections
        async with asyncio.timeout(10):
            while not connections:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.01)
            while connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        writer.transport.abort()


async def test_a_handler_may_take_its_time(http: ServerAddress) -> None:
    async with peer(http, request(b"/never")) as (reader, _):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await reader.read()


async def test_a_websocket_may_be_silent(server: ServerAddress) -> None:
    async with peer(server, upgrade()) as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await reader.read()


@pytest.mark.parametrize("before", [b"", b"GET /echo/ HTTP/1.1\r\nHost: localhost\r\n\r\n"])
async def test_a_head_without_end_is_refused_before_it_fills_the_memory(
    server: ServerAddress, monkeypatch: pytest.MonkeyPatch, before: bytes
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", dict.fromkeys(Wait, 30.0))
    async with peer(server, before) as (reader, writer):
        if before:
            await reader.readuntil(b"</html>")
        writer.write(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(10):
                for number in range(100):  # 3 MB
                    writer.write(b"X-%d: " % number + b"y" * 30_000 + b"\r\n")
                    await writer.drain()
                    await asyncio.sleep(0)
        answer = await everything(reader)
    assert answer[:12] in (b"HTTP/1.1 431", b"")  # or the reset was faster
    assert not server.server.server_state.connections


async def test_nothing_is_kept_of_who_has_gone(http: ServerAddress) -> None:
    async with peer(http, request(b"/")) as (reader, _):
        await everything(reader)
    watch: Any = http.server.server_state.realtime_watch  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        while watch._timer or watch._waits:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_a_second_time_changes_nothing() -> None:
    limit_requests()
    once = HttpToolsProtocol.connection_made
    limit_requests()
    assert HttpToolsProtocol.connection_made is once
