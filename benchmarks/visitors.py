"""People for the soak: they come, chat, reload, vanish, come back and go, over many rooms."""

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ROOMS = 60  # at a time; each has a name of its hour
PATIENCE = 60.0  # s for a handshake on a busy machine

# How a visit ends, the likeliest twice; after the last two the client is back soon and resumes.
ENDS = ("close", "close", "leave", "lost", "reload", "vanish", "vanish")


@dataclass
class Crowd:
    """`size` clients at once, from `come()` to `go()`."""

    port: int
    size: int
    visits: int = 0
    resumed: int = 0
    faults: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def come(self, hour: int) -> None:
        readers = max(1, self.size // 20)
        self.tasks = [
            asyncio.create_task(self._live(hour, random.Random(hour * 1_000 + number)))
            for number in range(self.size - readers)
        ]
        self.tasks += [asyncio.create_task(self._read_along(hour, n)) for n in range(readers)]

    async def go(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _live(self, hour: int, dice: random.Random) -> None:
        await asyncio.sleep(dice.random() * 2)
        while True:
            room = f"room-{hour}-{dice.randrange(ROOMS)}"
            visit = Visit(self.port, room, f"client-{dice.random()}", dice)
            try:
                await self._stay(visit)
            except (ConnectionClosed, OSError, TimeoutError) as fault:
                self.faults.append(f"{type(fault).__name__}: {fault}")
                await asyncio.sleep(1)

    async def _stay(self, visit: "Visit") -> None:
        while True:
            self.visits += 1
            await visit.once()
            self.resumed += visit.recovered is True
            if visit.end not in ("reload", "vanish"):
                return
            await asyncio.sleep(visit.dice.random())

    async def _read_along(self, hour: int, number: int) -> None:
        """An event stream, cut and opened again."""
        while True:
            self.visits += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1 + number % 5):
                    await follow(self.port, f"/api/rooms/room-{hour}-{number % ROOMS}/events/")


@dataclass
class Visit:
    """One client in one room, who may come more than once."""

    port: int
    room: str
    client: str
    dice: random.Random
    epoch: str = ""
    offset: int = 0
    recovered: bool | None = None
    end: str = ""

    async def once(self) -> None:
        query = f"client={self.client}&history=5"
        if self.epoch:
            query += f"&epoch={self.epoch}&offset={self.offset}"
        address = f"ws://127.0.0.1:{self.port}/ws/rooms/{self.room}/?{query}"
        socket = await connect(address, compression=None, ping_interval=None, open_timeout=PATIENCE)
        reading = asyncio.create_task(self._read(socket))
        try:
            await self._talk(socket)
            await self._part(socket)
        finally:
            reading.cancel()
            socket.transport.abort()  # too, when the crowd is told to go in the middle of a word

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            frame: dict[str, Any] = json.loads(text)
            if frame["type"] == "welcome":
                self.epoch, self.recovered = frame["epoch"], frame["recovered"]
            self.offset = frame.get("offset", self.offset)

    async def _talk(self, socket: ClientConnection) -> None:
        for number in range(self.dice.randrange(1, 9)):
            await asyncio.sleep(self.dice.random())
            await socket.send(self._message(number))

    def _message(self, number: int) -> str:
        say = {"type": "message", "data": {"text": "x" * self.dice.randrange(200)}, "ref": number}
        kinds: list[dict[str, Any]] = [
            say,
            say,
            {"type": "signal", "data": {"typing": True}},
            {"type": "state", "state": {"mood": self.dice.random()}},
            {"type": "nonsense"},
        ]
        return json.dumps(self.dice.choice(kinds))

    async def _part(self, socket: ClientConnection) -> None:
        self.end = self.dice.choice(ENDS)
        if self.end == "leave":
            await socket.send('{"type": "leave"}')
            await socket.wait_closed()
        elif self.end in ("vanish", "lost"):
            socket.transport.abort()
        else:
            await socket.close(1001 if self.end == "reload" else 1000)


async def follow(port: int, path: str) -> bytes:
    """All that the server answers to GET, until it or this task ends it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return body
    finally:
        writer.close()
