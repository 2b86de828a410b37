"""What uvicorn would leave without an answer, or answer with a traceback."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from uvicorn.protocols.websockets import websockets_sansio_impl
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime import workarounds
from realtime.testing import ServerAddress, serving
from realtime.workarounds import mend_uvicorn
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


async def test_a_broken_frame_before_the_handshake_is_answered_ends_the_connection() -> None:
    asked = asyncio.Event()
    ended = asyncio.Event()
    failures: list[dict[str, Any]] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        asked.set()
        assert (await receive())["type"] == "websocket.disconnect"
        ended.set()

    mend_uvicorn()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    async with serving(application, lifespan="off") as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(upgrade())
        await asked.wait()
        writer.write(frame(3, b"no such opcode"))
        assert await reader.read() == b""
        await ended.wait()
        writer.close()
        await writer.wait_closed()
    assert failures == []


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
    assert once.__module__ == "realtime.workarounds"  # at the server's start
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
