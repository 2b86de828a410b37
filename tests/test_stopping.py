"""Stopping under load, as a process: everybody is told, and it ends in time, with status 0."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvicorn
import websockets

from realtime import stopping
from tests.processes import ROOT, Process

Start = Callable[..., Process]

# A project whose one consumer keeps its handler busy.
BUSY = """
import asyncio, sys
sys.path.insert(0, {root!r})
from app import application
from channels.routing import URLRouter
from django.urls import re_path
from realtime.consumers import AsyncWebsocketConsumer

class Busy(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await asyncio.sleep(30)

class Flood(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        while True:
            await self.send(text_data="x" * 60_000)

pages = application.application_mapping["http"]

async def slow(scope, receive, send):
    if scope["path"] == "/slow":
        await asyncio.sleep(30)
    await pages(scope, receive, send)

application.application_mapping["http"] = slow
application.application_mapping["websocket"] = URLRouter([
    re_path("ws/busy/", Busy.as_asgi()), re_path("ws/flood/", Flood.as_asgi()),
    re_path("", application.application_mapping["websocket"]),
])
"""
UVICORN = ("-m", "uvicorn", "busy:application", "--port", "{port}", "--app-dir")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "busy.py").write_text(BUSY.format(root=str(ROOT)))
    return tmp_path


def stalled(port: int, path: str) -> socket.socket:
    """A peer that asks and never reads."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.connect(("127.0.0.1", port))
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    peer.sendall(f"{head}Connection: Upgrade\r\n{key}".encode() + b"\x81\x81\0\0\0\0x")
    return peer


async def stop(process: Process, number: int) -> tuple[int, float]:
    """The exit status, and how long it took."""
    begun = time.monotonic()
    process.popen.send_signal(number)
    status = await asyncio.to_thread(process.popen.wait, 30)
    return status, time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_plain_uvicorn_with_many_clients_a_busy_handler_and_a_stalled_peer(
    start: Start, project: Path, number: int
) -> None:
    process = start(*UVICORN, str(project))
    async with contextlib.AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(websockets.connect(process.ws("/ws/rooms/x/")))
            for _ in range(100)
        ]
        busy = await stack.enter_async_context(websockets.connect(process.ws("/ws/busy/")))
        await busy.send("go")
        peer = stack.enter_context(stalled(process.port, "/ws/flood/"))
        assert await asyncio.to_thread(peer.recv, 4)  # it is served
        asked = stack.enter_context(socket.create_connection(("127.0.0.1", process.port)))
        asked.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, took = await stop(process, number)
        for client in [*clients, busy]:
            await client.wait_closed()
            assert client.close_code == 1012
    assert status == 0
    assert took < stopping.PATIENCE + 2
    log = process.log.read_text()
    assert "were cut" in log
    assert "Traceback" not in log


async def test_with_nobody_busy_it_ends_at_once(start: Start) -> None:
    process = start("app.py", "--port", "{port}", "--host", "127.0.0.1")
    async with websockets.connect(process.ws("/ws/rooms/x/")) as client:
        status, took = await stop(process, signal.SIGTERM)
        await client.wait_closed()
        assert client.close_code == 1012
    assert status == 0
    assert took < stopping.PATIENCE
    assert "were cut" not in process.log.read_text()


async def test_a_second_ctrl_c_does_not_wait_for_anybody() -> None:
    server = uvicorn.Server(uvicorn.Config("app:application"))
    before = signal.signal(signal.SIGINT, server.handle_exit)
    try:
        stopping.stop_in_time()
        os.kill(os.getpid(), signal.SIGINT)
        assert (server.should_exit, server.force_exit) == (True, False)
        os.kill(os.getpid(), signal.SIGINT)
        assert (server.should_exit, server.force_exit) == (True, True)
    finally:
        signal.signal(signal.SIGINT, before)


async def test_the_handlers_of_another_server_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stopping.stop_in_time()
    assert signal.getsignal(signal.SIGTERM) is before
