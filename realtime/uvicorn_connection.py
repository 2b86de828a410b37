"""The fast way: ready frames on the transport of uvicorn's WebSocket protocol.

Nothing else in this package knows uvicorn's protocol. `uvicorn_protocol()` finds it where it is
exactly known to be what `UvicornConnection` expects.
"""

from __future__ import annotations

import asyncio
from types import MethodType
from typing import Any

from channels.sessions import InstanceSessionWrapper
from django.conf import settings

from realtime.connection import (
    BLOCKED,
    CLOSED,
    CONNECTING,
    GONE,
    INBOX,
    OPEN,
    PIECE,
    Connection,
    Event,
    Outgoing,
    Overflow,
    Owner,
    Receive,
    Send,
)
from realtime.counters import traffic
from realtime.mailbox import Mailbox

try:
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
except ImportError:  # another server, or uvicorn without its WebSocket library
    WebSocketsSansIOProtocol = None  # type: ignore[assignment, misc]

# What uvicorn says when the server stops, and how long a peer may then hold it up, in seconds.
RESTART = 1012
STOP_TIMEOUT = 2.0

# What is used of uvicorn's protocol. One that lacks any of it is served the plain way.
USED = ("close_timer", "conn", "disconnected", "queue", "read_paused", "transport", "writable")


def uvicorn_protocol(receive: Receive, send: Send) -> Any:
    """uvicorn's protocol, when `receive` and `send` are its own bound methods; else None.

    Channels' session middleware wraps `send` to set cookies on HTTP responses; for a WebSocket it
    passes every event on as it is, so that wrapper, and no other, is looked through.
    """
    while _is_method(send, InstanceSessionWrapper, "send"):
        send = send.__self__.real_send  # type: ignore[attr-defined]
    kind: Any = WebSocketsSansIOProtocol
    if not (kind and _is_method(send, kind, "send") and _is_method(receive, kind, "receive")):
        return None
    protocol: Any = send.__self__  # type: ignore[attr-defined]
    same = receive.__self__ is protocol  # type: ignore[attr-defined]
    known = same and all(hasattr(protocol, name) for name in USED)
    return protocol if known and _is_fresh(protocol) else None


def _is_fresh(protocol: Any) -> bool:
    """Whether the two parts whose place is to be taken are what they were when it was made."""
    queue, writable = type(protocol.queue), type(protocol.writable)
    return queue is asyncio.Queue and writable is asyncio.Event and protocol.writable.is_set()


def _is_method(function: object, kind: type, name: str) -> bool:
    """Whether `function` is `kind`'s own method `name`, bound to exactly a `kind`."""
    return (
        isinstance(function, MethodType)
        and type(function.__self__) is kind
        and function.__func__ is getattr(kind, name)
    )


class UvicornConnection(Connection):
    """Writes to the transport of uvicorn's protocol, and takes the place of two of its parts.

    As its event queue it learns of a closed socket at once, whatever a handler is doing, and stops
    reading only when too much waits: uvicorn itself stops and starts it for every message. As its
    `writable` event it learns at once that a peer does not read, and needs no task to wait.
    """

    __slots__ = ("_protocol", "_task", "_timer", "_transport")

    def __init__(
        self, protocol: Any, send: Send, inbox: Mailbox, owner: Owner, overflow: Overflow
    ) -> None:
        super().__init__(send, inbox, owner, overflow)
        self._protocol = protocol
        self._transport = protocol.transport
        # What ends the patience with a peer that does not read, or that does not close.
        self._timer: asyncio.TimerHandle | None = None
        # Tells a slow peer why it is closed.
        self._task: asyncio.Task[None] | None = None
        early, protocol.queue, protocol.writable = protocol.queue, self, self
        while not early.empty():
            self._take_in(early.get_nowait())
        if self._transport.is_closing():
            self._enter(CLOSED)  # the owner reads it in its inbox
        limit = protocol.conn.max_message_size or settings.REALTIME_MAX_MESSAGE_SIZE
        protocol.conn.max_message_size = min(limit, settings.REALTIME_MAX_MESSAGE_SIZE)
        self._resume()

    # From uvicorn: the methods of asyncio.Queue that its protocol calls.

    def put_nowait(self, event: Event) -> None:
        if event["type"] == "websocket.disconnect":
            self._ended(event["code"], event.get("reason") or "")
        waiting = self._take_in(event)
        if waiting >= INBOX and self._inbox.on_empty is None and self.state is not CLOSED:
            self._inbox.on_empty = self._resume
            self._transport.pause_reading()

    def _take_in(self, event: Event) -> int:
        if event["type"] == "websocket.receive":
            traffic.received += 1
        return self._inbox.put_nowait(event)

    async def get(self) -> Event:
        return await self._inbox.get()

    def empty(self) -> bool:
        return not self._inbox

    def _ended(self, code: int, reason: str) -> None:
        if self._transport.is_closing():  # connection_lost(): this is the last event
            self._be_patient(None)
        else:  # a closing handshake; the transport would wait for a stopped peer for ever
            self.flush()
            limit = settings.REALTIME_SEND_TIMEOUT
            self._be_patient(min(limit, STOP_TIMEOUT) if code == RESTART else limit)
        self._lose(code, reason)

    def _resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._protocol.read_paused = True  # so that uvicorn leaves the pausing to us

    # From uvicorn: the methods of asyncio.Event that its protocol calls.

    def clear(self) -> None:
        """The transport holds more than it should."""
        if self.state is not CLOSED:
            self._be_patient(settings.REALTIME_SEND_TIMEOUT)
            if self.state is OPEN:
                self._enter(BLOCKED)

    def set(self) -> None:
        """The peer has read, or is lost."""
        if self.state is not CLOSED:
            self._be_patient(None)
            self._go_on()

    async def wait(self) -> None:
        """Never: what uvicorn itself sends, an accept or a close, has nothing to wait for."""

    def _be_patient(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = self._tick.loop.call_later(seconds, self._lose_patience)

    def _lose_patience(self) -> None:
        if self.state is CLOSED:
            self._transport.abort()
        else:
            reason = f"it took nothing for {settings.REALTIME_SEND_TIMEOUT:g} s"
            self.give_up(reason, patient=False)

    # To the browser.

    def flush(self) -> None:
        frames = self._frames
        if self.state is not OPEN or not frames:
            return
        transport = self._transport
        if transport.is_closing():
            self._abandon()
            return
        self._frames = []
        self._size = 0
        if len(frames) == 1:
            frame = frames[0]
            data = frame.data
            traffic.delivered += frame.count
            traffic.sent_bytes += frame.size
            transport.write(data)
        else:
            self._write(frames)

    def _abandon(self) -> None:
        """uvicorn gives up a peer that answers no ping, without a word to us, and then waits."""
        self._lose(GONE, "")
        self._transport.abort()

    def _open(self) -> None:
        if self.state is CONNECTING:
            self._enter(BLOCKED)
            self._go_on()

    def _go_on(self) -> None:
        """Piece by piece, until the transport says stop or nothing is left."""
        if self._transport.is_closing():
            self._abandon()
        while self._frames and self._timer is None:
            self._write(self._take(PIECE))
        if self._timer is None and self.state is BLOCKED:
            self._enter(OPEN)
        elif self._timer is None:
            self._settle()

    def _write(self, frames: list[Outgoing]) -> None:
        data = b"".join([frame.data for frame in frames])
        traffic.delivered += sum([frame.count for frame in frames])
        traffic.sent_bytes += len(data)
        self._transport.write(data)

    def _take(self, size: int) -> list[Outgoing]:
        """The oldest frames, as many as `size` bytes, one at least."""
        count = 0
        while count < len(self._frames) and size > 0:
            size -= self._frames[count].size
            count += 1
        taken = self._frames[:count]
        self._keep(self._frames[count:])
        return taken

    async def _say_close(self, code: int, reason: str) -> None:
        if not self._transport.is_closing():
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def _hang_up(self, code: int, reason: str, *, patient: bool) -> None:
        if patient and not self._transport.is_closing():
            self._task = self._tick.loop.create_task(self._say_close(code, reason))
        else:
            self._inbox.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            self._transport.abort()

    def release(self) -> None:
        self.flush()
        super().release()
        if self._timer is None and not self._protocol.disconnected:
            self._be_patient(settings.REALTIME_SEND_TIMEOUT)
