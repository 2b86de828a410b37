"""Abuse, over and over, on a server of its own process: nothing is left behind.

SOAK=10000 in the environment makes it long.
"""

from __future__ import annotations

import json
import os
import random
import socket
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import ROOT, Process
from tests.raw import CLOSE, frame, hang_up, upgrade

ROUNDS = int(os.environ.get("SOAK", "400"))

# What is measured after a warm-up of as many rounds, in bytes. A leak of one connection each
# (20 KB) would be 8 MB already in the short run.
WARM_UP = 300
GROWTH = 5_000_000

PROJECT = """
    import asyncio, gc, json, os
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    import django
    django.setup()
    from channels.exceptions import StopConsumer
    from channels.layers import get_channel_layer
    from realtime.consumers import AsyncJsonWebsocketConsumer
    from realtime.lifespan import Lifespan

    class Target(AsyncJsonWebsocketConsumer):
        async def connect(self):
            await self.channel_layer.group_add("all", self.channel_name)
            await self.channel_layer.group_add(f"own.{id(self)}", self.channel_name)
            if self.scope["path"] == "/crash":
                raise RuntimeError("crash in connect")
            if self.scope["path"] == "/refuse":
                await self.close()
            else:
                await self.accept()

        async def receive_json(self, content, **kwargs):
            match content:
                case "crash":
                    raise RuntimeError("crash in receive")
                case "stop":
                    raise StopConsumer
                case "close":
                    await self.close(4001)
                case "own task":
                    self.task = asyncio.create_task(self.send_json(content))
                case _:
                    await self.channel_layer.group_send("all", {"type": "chat", "data": content})
                    message = {"type": "websocket.send", "text": json.dumps(content)}
                    await self.channel_layer.group_send("all", message)

        async def chat(self, event):
            await self.send_json(event["data"])

        async def disconnect(self, code):
            if self.scope["path"] == "/crash-late":
                raise RuntimeError("crash in disconnect")

    target, lifespan = Target.as_asgi(), Lifespan()

    def state():
        gc.collect()
        layer = get_channel_layer()
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        return {
            "tasks": len(asyncio.all_tasks()),
            "files": len(os.listdir("/proc/self/fd")),
            "groups": len(layer.groups),
            "subscribers": len(layer._subscribers),
            "channels": len(layer.channels),
            "consumers": sum(type(each) is Target for each in gc.get_objects()),
            "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        }

    async def application(scope, receive, send):
        if scope["type"] == "websocket":
            await target(scope, receive, send)
        elif scope["type"] == "lifespan":
            await lifespan(scope, receive, send)
        else:
            body = json.dumps(state()).encode()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": body})
"""


def say(text: Any) -> bytes:
    return frame(1, json.dumps(text).encode())


# What is sent after the upgrade (or instead of it), before the connection is reset.
ABUSES: list[tuple[bytes, ...]] = [
    (b"GET / HT",),
    (upgrade(b"/")[:-2],),
    (upgrade(b"/"),),
    (upgrade(b"/crash"),),
    (upgrade(b"/refuse"),),
    (upgrade(b"/"), say("hello")),
    (upgrade(b"/"), say("hello"), CLOSE),
    (upgrade(b"/"), say("hello") * 50),
    (upgrade(b"/"), frame(1, b"not json") * 25),
    (upgrade(b"/"), frame(2, b"bytes")),
    (upgrade(b"/"), say("crash")),
    (upgrade(b"/"), say("stop")),
    (upgrade(b"/"), say("close"), say("more")),
    (upgrade(b"/"), say("own task")),
    (upgrade(b"/"), frame(1, b"\xff")),
    (upgrade(b"/"), b"\xff\xff\xff\xff"),
    (upgrade(b"/"), frame(1, b"x", length=1_000)),
    (upgrade(b"/"), frame(9, b"ping") * 100),
    (upgrade(b"/crash-late"), say("hello"), CLOSE),
]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.timeout(60 + ROUNDS)
def test_abuse_leaves_nothing_behind(start: Callable[..., Process], tmp_path: Path) -> None:
    (tmp_path / "target.py").write_text(textwrap.dedent(PROJECT))
    command = ["-m", "uvicorn", "target:application", "--port", "{port}", "--log-level", "error"]
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    server = start(*command, PYTHONPATH=paths)
    abuse(server.port, WARM_UP)
    before = settled(server)
    abuse(server.port, ROUNDS)
    after = settled(server)
    grown = after.pop("memory") - before.pop("memory")
    assert after == before
    assert (after["groups"], after["subscribers"], after["channels"]) == (0, 0, 0)
    assert after["consumers"] == 0
    assert grown < GROWTH, f"{grown:,} bytes more after {ROUNDS} rounds"
    said = server.said()
    for word in ("never retrieved", "destroyed", "never awaited", "Exception in ASGI"):
        assert word not in said, said[-3_000:]
    for line in said.splitlines():
        assert not line.startswith("RuntimeError") or "crash in" in line, line


def abuse(port: int, rounds: int) -> None:
    dice = random.Random(rounds)
    for _ in range(rounds):
        packets = dice.choice(ABUSES)
        if dice.random() < 0.5:
            hang_up(port, *packets)
        else:
            part_in_peace(port, *packets)


def part_in_peace(port: int, *packets: bytes) -> None:
    """Wait for the upgrade, and end with TCP's FIN and not its reset."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.05) as connection:
        for packet in packets:
            try:
                connection.sendall(packet)
                connection.recv(1 << 16)
            except OSError:
                return


def settled(server: Process) -> dict[str, int]:
    """The server's state, once nothing moves any more."""
    with httpx.Client() as client:
        for _ in range(100):
            state: dict[str, int] = client.get(server.http()).json()
            if not state["subscribers"] and not state["consumers"]:
                break
    return state
