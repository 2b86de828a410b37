"""The two ways to a socket, and the one that is taken.

`UvicornConnection` puts ready frames on the transport of uvicorn's WebSocket protocol;
`AsgiConnection` awaits the plain ASGI `send` of any server. Both mean the same, one is faster.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from types import MethodType
from typing import Any, TypeAlias

from channels.sessions import InstanceSessionWrapper
from django.conf import settings

from realtime.connection import (
    GONE,
    PIECE,
    Connection,
    Event,
    Outgoing,
    Overflow,
    Owner,
    Send,
    State,
)
from realtime.mailbox import Mailbox

try:
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
except ImportError:  # another server, or uvicorn without its WebSocket library
    WebSocketsSansIOProtocol = None  # type: ignore[assignment, misc]

Receive: TypeAlias = Callable[[], Awaitable[Event]]

# Events that may wait for a busy handler before reading from the socket stops.
INBOX = 64

# What the fast way uses of uvicorn's protocol. One that lacks any of it is served the plain way.
USED = (
    "close_sent",
    "close_timer",
    "conn",
    "queue",
    "read_paused",
    "stop_keepalive",
    "transport",
    "writable",
)

logger = logging.getLogger("realtime")


def connect(
    receive: Receive, send: Send, inbox: Mailbox, owner: Owner, overflow: Overflow = Overflow.CLOSE
) -> Connection:
    """The fast way where it is exactly known to be right, else the plain one.

    Events go to `inbox`; `owner` hears of the end.
    """
    protocol = uvicorn_protocol(receive, send)
    if protocol is not None:
        return UvicornConnection(protocol, send, inbox, owner, overflow)
    return AsgiConnection(receive, send, inbox, owner, overflow)


def uvicorn_protocol(receive: Receive, send: Send) -> Any:
    """uvicorn's protocol, when `receive` and `send` are its own bound methods; else None.

    Channels' session middleware wraps `send` to set cookies on HTTP responses; for a WebSocket it
    passes every event on as it is, so that wrapper, and no other, is looked through.
    """
    while _is_method(send, InstanceSessionWrapper, "send"):
        send = send.__self__.real_send  # type: ignore[attr-defined]
    kind = WebSocketsSansIOProtocol
    if not (kind and _is_method(send, kind, "send") and _is_method(receive, kind, "receive")):
        return None
    protocol: Any = send.__self__  # type: ignore[attr-defined]
    same = receive.__self__ is protocol  # type: ignore[attr-defined]
    known = all(hasattr(protocol, name) for name in USED)
    return protocol if same and known and type(protocol.queue) is asyncio.Queue else None


def _is_method(function: object, kind: type, name: str) -> bool:
    """Whether `function` is `kind`'s own method `name`, bound to exactly a `kind`."""
    return (
        isinstance(function, MethodType)
        and type(function.__self__) is kind
        and function.__func__ is getattr(kind, name)
    )


class UvicornConnection(Connection):
    """Writes to the transport of uvicorn's protocol, and takes the place of its event queue.

    As the queue it learns of a closed socket at once, whatever a handler is doing, and reading is
    paused only when too much waits: uvicorn itself stops and starts it for every message.
    """

    __slots__ = ("_protocol", "_transport")

    def __init__(
        self, protocol: Any, send: Send, inbox: Mailbox, owner: Owner, overflow: Overflow
    ) -> None:
        super().__init__(send, inbox, owner, overflow)
        self._protocol = protocol
        self._transport = protocol.transport
        early, protocol.queue = protocol.queue, self
        while not early.empty():
            self.put_nowait(early.get_nowait())
        limit = protocol.conn.max_message_size or settings.REALTIME_MAX_MESSAGE_SIZE
        protocol.conn.max_message_size = min(limit, settings.REALTIME_MAX_MESSAGE_SIZE)
        self._resume()

    # From uvicorn: the methods of asyncio.Queue that its protocol calls.

    def put_nowait(self, event: Event) -> None:
        if event["type"] == "websocket.disconnect":
            self._lose(event["code"], event.get("reason") or "")
        if self._inbox.put_nowait(event) >= INBOX and self._inbox.on_empty is None:
            self._inbox.on_empty = self._resume
            self._transport.pause_reading()

    async def get(self) -> Event:
        return await self._inbox.get()

    def empty(self) -> bool:
        return not self._inbox

    def _resume(self) -> None:
        self._transport.resume_reading()
        self._protocol.read_paused = True  # so that uvicorn leaves the pausing to us

    # To the browser.

    def flush(self) -> None:
        if self.state is not State.OPEN or not self._frames:
            return
        protocol = self._protocol
        if protocol.close_sent or self._transport.is_closing():
            self._enter(State.CLOSED)  # the event that says so is on its way
        elif protocol.writable.is_set():
            frames, self._frames, self._size = self._frames, [], 0
            self._write(frames)
        else:
            self._enter(State.BLOCKED)
            self._task = self._tick.loop.create_task(self._drain())

    def _write(self, frames: list[Outgoing]) -> None:
        if len(frames) == 1:
            self._transport.write(frames[0].data)
        else:
            self._transport.write(b"".join([frame.data for frame in frames]))

    async def _drain(self) -> None:
        """Piece by piece as the peer reads; it is given up when it takes none for too long."""
        try:
            while self._frames and self.state is not State.CLOSED:
                async with asyncio.timeout(settings.REALTIME_SEND_TIMEOUT):
                    await self._protocol.writable.wait()
                if self._transport.is_closing():
                    self._enter(State.CLOSED)
                elif self._frames:
                    self._write(self._take(PIECE))
        except TimeoutError:
            reason = f"it took nothing for {settings.REALTIME_SEND_TIMEOUT:g} s"
            self.give_up(reason, patient=False)
        finally:
            self._task = None
        if self.state is State.BLOCKED:
            self._enter(State.OPEN)

    def _take(self, size: int) -> list[Outgoing]:
        """The oldest frames, as many as `size` bytes, one at least."""
        count = 0
        while count < len(self._frames) and size > 0:
            size -= self._frames[count].size
            count += 1
        taken = self._frames[:count]
        self._keep(self._frames[count:])
        return taken

    def _hang_up(self, code: int, reason: str, *, patient: bool) -> None:
        protocol = self._protocol
        if not patient or protocol.close_sent or self._transport.is_closing():
            self._transport.abort()
            return
        protocol.stop_keepalive()
        protocol.conn.send_close(code, reason)
        self._transport.write(b"".join(protocol.conn.data_to_send()))
        protocol.close_sent = True
        protocol.close_timer = self._tick.loop.call_later(
            settings.REALTIME_SEND_TIMEOUT, self._transport.abort
        )


class AsgiConnection(Connection):
    """Awaits `send` for each frame, and reads events in a task: works on every ASGI server."""

    __slots__ = ("_reader",)

    def __init__(
        self, receive: Receive, send: Send, inbox: Mailbox, owner: Owner, overflow: Overflow
    ) -> None:
        super().__init__(send, inbox, owner, overflow)
        self._reader = self._tick.loop.create_task(self._read(receive))

    def release(self) -> None:
        super().release()
        self._reader.cancel()
        if self._task is not None:
            self._task.cancel()

    def flush(self) -> None:
        if self.state is State.OPEN and self._frames:
            self._enter(State.BLOCKED)
            self._task = self._tick.loop.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._frames and self.state is not State.CLOSED:
                oldest = self._frames[0]
                self._keep(self._frames[1:])
                for event in oldest.events():
                    async with asyncio.timeout(settings.REALTIME_SEND_TIMEOUT):
                        await self._send(event)
        except TimeoutError:
            reason = f"it took nothing for {settings.REALTIME_SEND_TIMEOUT:g} s"
            self.give_up(reason, patient=False)
        except Exception as error:  # each server has its own way to say that the peer has gone
            logger.debug("A send failed: %r", error)
            self._lose(GONE, "")
        finally:
            self._task = None
        if self.state is State.BLOCKED:
            self._enter(State.OPEN)

    async def _read(self, receive: Receive) -> None:
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                self._lose(event.get("code", GONE), event.get("reason") or "")
            elif _is_too_big(event):
                event = {"type": "websocket.too.big"}
            if self._inbox.put_nowait(event) >= INBOX:
                room: asyncio.Future[None] = self._tick.loop.create_future()
                self._inbox.on_empty = partial(room.set_result, None)
                await room

    def _hang_up(self, code: int, reason: str, *, patient: bool) -> None:
        pass  # the consumer returns, and the server closes the socket


def _is_too_big(event: Event) -> bool:
    limit: int = settings.REALTIME_MAX_MESSAGE_SIZE
    text = event.get("text")
    if text is None:
        return len(event.get("bytes") or b"") > limit
    return len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit)
