"""Stopping under load, as a process: everybody is told, and it ends in time, with status 0."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvicorn
import websockets

from realtime.serving import stopping
from tests.processes import ROOT, Process

Start = Callable[..., Process]

# A project whose one consumer keeps its handler busy.
BUSY = """
import asyncio, sys, threading, time
sys.path.insert(0, {root!r})
from app import application
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.urls import re_path
from realtime.consumers import AsyncWebsocketConsumer

class Busy(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await asyncio.sleep(30)

class Thread(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await database_sync_to_async(time.sleep)(30)

class Flood(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        while True:
            await self.send(text_data="x" * 60_000)

pages = application.application_mapping["http"]

async def slow(scope, receive, send):
    if scope["path"] == "/slow":
        await asyncio.sleep(30)
    if scope["path"] == "/thread":
        await asyncio.to_thread(time.sleep, 30)
    await pages(scope, receive, send)

application.application_mapping["http"] = slow
application.application_mapping["websocket"] = URLRouter([
    re_path("ws/busy/", Busy.as_asgi()), re_path("ws/flood/", Flood.as_asgi()),
    re_path("ws/thread/", Thread.as_asgi()),
    re_path("", application.application_mapping["websocket"]),
])
"""
SERVE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
sys.path[:0] = [{root!r}, {folder!r}]
import django
from django.conf import settings
django.setup()
settings.ASGI_APPLICATION = "busy.application"
from django.core.management import call_command
call_command("serve", "--host", "127.0.0.1", "--port", sys.argv[1])
"""
UVICORN = ("-m", "uvicorn", "busy:application", "--port", "{port}", "--app-dir")


CLIENTS = 500


def command(way: str, project: Path) -> tuple[str, ...]:
    if way == "uvicorn":
        return (*UVICORN, str(project))
    (project / "serve.py").write_text(SERVE.format(root=str(ROOT), folder=str(project)))
    return str(project / "serve.py"), "{port}"


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


def opened(process: Process, path: str) -> websockets.connect:
    return websockets.connect(
        process.ws(path), compression=None, ping_interval=None, max_queue=None, close_timeout=1
    )


async def stop(process: Process, number: int) -> tuple[int, float]:
    """The exit status, and how long it took."""
    begun = time.monotonic()
    process.popen.send_signal(number)
    status = await asyncio.to_thread(process.popen.wait, 30)
    return status, time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("way", ["uvicorn", "serve"])
async def test_under_load_everybody_is_told_and_it_ends(
    start: Start, project: Path, number: int, way: str
) -> None:
    """500 clients, handlers and threads that are busy, a peer that does not read, event streams."""
    snapshot = project / "rooms"
    process = start(*command(way, project), REALTIME_SNAPSHOT=str(snapshot))
    async with contextlib.AsyncExitStack() as stack:
        clients = []
        for n in range(CLIENTS):
            connecting = opened(process, f"/ws/rooms/{n % 25}/")
            clients.append(await stack.enter_async_context(connecting))
        for path in ("/ws/busy/", "/ws/thread/"):
            busy = await stack.enter_async_context(opened(process, path))
            await busy.send("go")
            clients.append(busy)
        peer = stack.enter_context(stalled(process.port, "/ws/flood/"))
        assert await asyncio.to_thread(peer.recv, 4)  # it is served
        for path in ("/slow", "/thread", *["/api/rooms/x/events/"] * 20):
            asking = stack.enter_context(socket.create_connection(("127.0.0.1", process.port)))
            asking.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        said = b""
        while b"event: welcome" not in said:
            said += await asyncio.to_thread(asking.recv, 4096)
        status, took = await stop(process, number)
        for client in clients:
            await client.wait_closed()
            assert client.close_code == 1012
    log = process.said()
    assert status == 0, log
    assert took < 5
    assert "were cut" in log
    assert "threads were busy" in log
    assert "Traceback" not in log
    assert b'"stopped":true' in snapshot.read_bytes()


async def test_with_nobody_busy_it_ends_at_once(start: Start) -> None:
    process = start("app.py", "--port", "{port}", "--host", "127.0.0.1")
    async with websockets.connect(process.ws("/ws/rooms/x/")) as client:
        status, took = await stop(process, signal.SIGTERM)
        await client.wait_closed()
        assert client.close_code == 1012
    assert status == 0
    assert took < stopping.PATIENCE
    assert "were cut" not in process.log.read_text()


async def test_event_streams_hold_up_nothing(start: Start) -> None:
    process = start("app.py", "--port", "{port}", "--host", "127.0.0.1")
    with socket.create_connection(("127.0.0.1", process.port)) as reader:
        reader.sendall(b"GET /api/rooms/x/events/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = b""
        while b"event: welcome" not in said:
            said += await asyncio.to_thread(reader.recv, 4096)
        status, took = await stop(process, signal.SIGTERM)
    assert status == 0
    assert took < stopping.PATIENCE
    assert "were cut" not in process.said()
    assert "Traceback" not in process.said()


async def test_a_second_ctrl_c_does_not_wait_for_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(stopping, "_end", ended.set)  # or it would end the tests
    monkeypatch.setattr(stopping, "_is_asked", False)
    server = uvicorn.Server(uvicorn.Config("app:application"))
    before = {n: signal.signal(n, server.handle_exit) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        stopping.stop_in_time()
        os.kill(os.getpid(), signal.SIGINT)
        assert (server.should_exit, server.force_exit) == (True, False)
        os.kill(os.getpid(), signal.SIGINT)
        assert (server.should_exit, server.force_exit) == (True, True)
        assert ended.wait(5)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def test_the_handlers_of_another_server_are_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stopping.stop_in_time()
    assert signal.getsignal(signal.SIGTERM) is before
