"""Both ways to a socket, with nothing behind them but a peer that a test moves by hand.

`UvicornPeer` sits behind uvicorn's real protocol on a transport in memory, `AsgiPeer` behind a
bare `send` and `receive`. To a test they are the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from realtime.connection import Connection, Overflow, State
from realtime.frames import Frame
from realtime.mailbox import Mailbox
from realtime.transports import connect
from tests.raw import frame, upgrade

HIGH_WATER = 65_536
FILLER = "f" * 70_000  # more than a transport takes before it says stop


async def turn() -> None:
    """Let the loop do all that is ready, and what follows from it."""
    for _ in range(12):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """For what a timer or another process brings about; everything else is there after turn()."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.002)


class Peer:
    """The far end. `heard` are its texts and bytes, and of a close frame the code."""

    connection: Connection

    def __init__(self) -> None:
        self.inbox = Mailbox()
        self.heard: list[str | bytes | int] = []
        self.reads = True
        # What the owner was told: the codes of `connection_lost()`.
        self.lost: list[int] = []

    def connection_lost(self, code: int, reason: str) -> None:
        self.lost.append(code)

    async def start(self, overflow: Overflow) -> None:
        raise NotImplementedError

    async def accept(self) -> None:
        await self.connection.send({"type": "websocket.accept"})

    async def block(self) -> None:
        """Stop reading, and be sent so much that what follows waits in the outbox."""
        self.reads = False
        self.connection.write(Frame(FILLER))
        await turn()
        assert self.connection.state is State.BLOCKED

    async def read(self) -> None:
        """Read all, and go on reading."""
        self.reads = True
        self._resume()
        await turn()

    def say(self, text: str) -> None:
        raise NotImplementedError

    def leave(self, code: int = 1001) -> None:
        raise NotImplementedError

    def vanish(self) -> None:
        """Without a close frame."""
        raise NotImplementedError

    def _resume(self) -> None:
        raise NotImplementedError

    @property
    def is_ended(self) -> bool:
        """Whether the socket is closed for good, whatever the peer does."""
        raise NotImplementedError

    def events(self) -> list[Any]:
        """What waits in the inbox."""
        return list(self.inbox._messages)

    async def stop(self) -> None:
        self.connection.release()
        await turn()


class Transport:
    """In memory. It says "pause" and "resume" as asyncio's does."""

    def __init__(self, peer: UvicornPeer) -> None:
        self.peer = peer
        self.buffer = b""
        self.writes = 0
        self.is_paused = False
        self.reading = True
        self.closing = False
        self.is_lost = False

    def write(self, data: bytes) -> None:
        if self.is_lost:
            return
        self.writes += 1
        self.buffer += data
        if self.peer.reads:
            self.drain()
        elif len(self.buffer) > HIGH_WATER and not self.is_paused:
            self.is_paused = True
            self.peer.protocol.pause_writing()

    def drain(self) -> None:
        data, self.buffer = self.buffer, b""
        self.peer.take(data)
        if self.is_paused:
            self.is_paused = False
            self.peer.protocol.resume_writing()
        if self.closing and not self.buffer:
            self.lose()

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            if not self.buffer:
                self.lose()

    def abort(self) -> None:
        self.closing, self.buffer = True, b""
        self.lose()

    def lose(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            asyncio.get_running_loop().call_soon(self.peer.protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class UvicornPeer(Peer):
    protocol: WebSocketsSansIOProtocol

    async def start(self, overflow: Overflow) -> None:
        started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            started.set_result((receive, send))
            await self.over.wait()

        config = Config(application, interface="asgi3", log_config=None, ws_ping_interval=None)
        config.load()
        self.protocol = WebSocketsSansIOProtocol(config, ServerState(), {})
        self._bytes = b""
        self.transport = Transport(self)
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]
        self.protocol.data_received(upgrade())
        receive, send = await started
        self.connection = connect(receive, send, self.inbox, self, overflow)

    def take(self, data: bytes) -> None:
        """Split what came into messages; the head of the answer to the upgrade goes first."""
        self._bytes += data
        if self._bytes.startswith(b"HTTP/"):
            self._bytes = self._bytes.partition(b"\r\n\r\n")[2]
        while len(self._bytes) >= 2:
            opcode, size, start = self._bytes[0], self._bytes[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self._bytes[2:start], "big")
            body = self._bytes[start : start + size]
            assert len(body) == size, "a frame that is not whole"
            self._bytes = self._bytes[start + size :]
            self._hear(opcode, body)

    def _hear(self, opcode: int, body: bytes) -> None:
        if opcode == 0x81:
            self.heard.append(body.decode())
        elif opcode == 0x82:
            self.heard.append(body)
        else:
            assert opcode == 0x88
            self.heard.append(int.from_bytes(body[:2], "big"))
            if self.reads:
                self.say_close()

    def say(self, text: str) -> None:
        self.protocol.data_received(frame(1, text.encode()))

    def say_close(self) -> None:
        answer = frame(8, (1000).to_bytes(2, "big"))
        asyncio.get_running_loop().call_soon(self.protocol.data_received, answer)

    def leave(self, code: int = 1001) -> None:
        self.protocol.data_received(frame(8, code.to_bytes(2, "big")))

    def vanish(self) -> None:
        self.transport.abort()

    def _resume(self) -> None:
        self.transport.drain()

    @property
    def is_ended(self) -> bool:
        return self.transport.is_lost

    async def stop(self) -> None:
        self.over.set()
        await super().stop()
        self.transport.abort()
        await turn()


class AsgiPeer(Peer):
    async def start(self, overflow: Overflow) -> None:
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._events.put_nowait({"type": "websocket.connect"})
        self._readable = asyncio.Event()
        self.has_left = False
        self.connection = connect(self._events.get, self._send, self.inbox, self, overflow)
        await turn()

    async def _send(self, event: Any) -> None:
        if not self.reads:
            self._readable.clear()
            await self._readable.wait()
        if self.has_left:
            raise OSError("gone")
        if event["type"] == "websocket.send":
            self.heard.append(event["text"] if event.get("text") is not None else event["bytes"])
        elif event["type"] == "websocket.close":
            self.heard.append(event["code"])
            self.leave(event["code"])

    def say(self, text: str) -> None:
        self._events.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self, code: int = 1001) -> None:
        self.has_left = True
        self._events.put_nowait({"type": "websocket.disconnect", "code": code})

    def vanish(self) -> None:
        self.leave(1006)

    def _resume(self) -> None:
        self._readable.set()

    @property
    def is_ended(self) -> bool:
        """The server closes the socket when its consumer returns, and that does at this event."""
        return any(event["type"] == "websocket.disconnect" for event in self.events())
