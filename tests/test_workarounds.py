"""What uvicorn would leave without an answer, or answer with a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn.protocols.websockets import websockets_sansio_impl
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime.consumers import EchoConsumer
from realtime.serving import workarounds
from realtime.serving.workarounds import mend_uvicorn
from realtime.testing import ServerAddress, serving
from tests.peers import until
from tests.raw import CLOSE, frame, talk, upgrade


@pytest.mark.parametrize(
    "header",
    [
        b"\r\n".join([b"X: 1"] * 300),
        b"X: " + b"1" * 70_000,
        b"Content-Length: 5",
        b"Transfer-Encoding: chunked",
    ],
    ids=["many headers", "a long header", "a body", "a body in parts"],
)
async def test_a_handshake_that_cannot_be_read_is_refused_and_logged(
    server: ServerAddress, logged: list[str], header: bytes
) -> None:
    answer = await asyncio.to_thread(talk, server.port, upgrade(b"/ws/echo/", header))
    assert answer.ended
    assert answer.status in (400, 431)
    assert b"WebSocket" in answer.body
    [line] = logged
    assert line.startswith("A WebSocket request was refused: ")


async def test_a_line_of_60_kib_is_taken(server: ServerAddress) -> None:
    long = b"Cookie: a=" + b"a" * 60_000
    answer = await asyncio.to_thread(talk, server.port, upgrade(b"/ws/echo/", long), CLOSE)
    assert answer.status == 101


async def test_what_is_not_utf8_with_a_close_behind_it_is_closed(server: ServerAddress) -> None:
    answer = await asyncio.to_thread(talk, server.port, upgrade(), frame(1, b"\xff") + CLOSE)
    assert answer.ended
    assert answer.close_code == 1000


@contextlib.asynccontextmanager
async def hasty_peer(early: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """It sends frames before its handshake has been answered by the echo."""
    may_answer = asyncio.Event()
    failures: list[dict[str, Any]] = []
    echo = EchoConsumer.as_asgi()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await may_answer.wait()
        await echo(scope, receive, send)

    mend_uvicorn()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with serving(application, lifespan="off") as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(upgrade())
        connections: Any = server.server.server_state.connections
        await until(lambda: any(hasattr(each, "start_keepalive") for each in connections))
        writer.write(early)
        await until(
            lambda: not connections or any(hasattr(each, "realtime_early") for each in connections)
        )
        may_answer.set()
        yield reader
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert failures == []


async def test_frames_that_come_before_the_answer_to_the_handshake_are_heard_after_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with hasty_peer(frame(1, b"hi")) as reader:
        answer = await reader.readuntil(b"\r\n\r\n\x81\x02hi")
    assert answer.startswith(b"HTTP/1.1 101")
    assert [record for record in caplog.records if record.exc_info] == []


async def test_a_broken_frame_before_the_answer_to_the_handshake_gets_its_close_code(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with hasty_peer(frame(3, b"no such opcode")) as reader:
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 101")
    assert b"\x88" in answer
    assert (1002).to_bytes(2, "big") in answer
    assert [record for record in caplog.records if record.exc_info] == []


async def test_who_sends_without_end_before_the_answer_is_cut() -> None:
    async with hasty_peer(frame(2, bytes(70_000))) as reader:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""


async def test_a_peer_that_answers_no_ping_is_cut_whatever_it_has_not_read(
    server: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transport would wait for it for ever: it has been sent more than the kernel holds."""
    monkeypatch.setattr(workarounds, "LAST_WORD", 0.05)
    peer = await asyncio.to_thread(socket.create_connection, (server.host, server.port))
    with peer:
        await asyncio.to_thread(peer.sendall, upgrade())
        await asyncio.to_thread(peer.recv, 1)
        connections: Any = server.server.server_state.connections
        [protocol] = [each for each in connections if hasattr(each, "keepalive_timeout")]
        protocol.transport.write(b"\x82\x7f" + (10_000_000).to_bytes(8, "big") + bytes(10_000_000))
        assert protocol.transport.get_write_buffer_size() > 0
        protocol.keepalive_timeout()
        async with asyncio.timeout(5):
            while protocol in connections:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.01)


async def test_a_second_time_changes_nothing(server: ServerAddress) -> None:
    once = WebSocketsSansIOProtocol.handle_events
    assert once.__module__ == "realtime.serving.workarounds"  # at the server's start
    mend_uvicorn()
    assert WebSocketsSansIOProtocol.handle_events is once


def test_a_uvicorn_that_is_built_otherwise_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other: ...

    other: Any = Other
    monkeypatch.setattr(websockets_sansio_impl, "WebSocketsSansIOProtocol", other)
    mend_uvicorn()
    assert not hasattr(Other, "handle_events")
    monkeypatch.delattr(websockets_sansio_impl, "WebSocketsSansIOProtocol")
    mend_uvicorn()
