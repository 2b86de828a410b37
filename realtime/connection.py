"""One socket's way out.

Frames are gathered and written at the end of the loop's tick, all at once, in the order in which
they came. What a slow reader leaves waiting is bounded, and so is the time for which it may take
nothing. How bytes reach a socket stands in `transports.py`; rooms, groups and consumers are not
known here.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from channels.exceptions import StopConsumer
from django.conf import settings

from realtime.frames import Batch, Frame
from realtime.mailbox import Mailbox

Event: TypeAlias = dict[str, Any]
Outgoing: TypeAlias = Frame | Batch
Send: TypeAlias = Callable[[Event], Awaitable[None]]

SLOW = 4508
GONE = 1006

# Frames go to the transport in pieces of about this size: asyncio's own high-water mark, above
# which it says "pause", and what follows waits here, where it is bounded.
PIECE = 65_536

logger = logging.getLogger("realtime")


class Disconnected(StopConsumer):
    """Sending to a peer that has gone: it ends the handler, and is no error."""


class Overflow(enum.Enum):
    """What happens when more waits for a reader than an outbox holds."""

    CLOSE = "close"  # with 4508: the client comes back and asks for what it missed
    DROP_OLDEST = "drop_oldest"
    CONFLATE = "conflate"  # while it does not read, only the newest frame of a key is kept


class State(enum.Enum):
    CONNECTING = enum.auto()  # not accepted yet: frames wait
    OPEN = enum.auto()
    BLOCKED = enum.auto()  # the peer does not read: frames wait, and the clock runs
    CLOSING = enum.auto()  # what waits still goes out, nothing is added
    CLOSED = enum.auto()


class Owner(Protocol):
    """Who the connection belongs to."""

    def connection_lost(self, code: int, reason: str) -> None:
        """Called once, at the moment when it is known that no more goes out."""


class Connection:
    """What both kinds share: gathering, bounds, and how it ends."""

    __slots__ = (
        "_alarm",
        "_frames",
        "_inbox",
        "_owner",
        "_send",
        "_size",
        "_task",
        "_tick",
        "dropped",
        "overflow",
        "state",
    )

    def __init__(self, send: Send, inbox: Mailbox, owner: Owner, overflow: Overflow) -> None:
        self._send = send
        self._inbox = inbox
        self._owner: Owner | None = owner
        self._tick = Tick.of(asyncio.get_running_loop())
        self._frames: list[Outgoing] = []
        # Bytes in `_frames` but the last, which may still grow; and how many there may be before
        # appending is not all there is to a write: a piece while the socket is open, else none.
        self._size = 0
        self._alarm = -1
        # Waits for a blocked peer to read.
        self._task: asyncio.Task[None] | None = None
        self.overflow = overflow
        self.state = State.CONNECTING
        # Frames that the overflow policy let go.
        self.dropped = 0

    # Public: what goes out.

    def write(self, frame: Outgoing) -> None:
        """Let `frame` go out at the end of this tick. Never waits, never raises."""
        frames = self._frames
        if frames:
            last = frames[-1]
            last.open = False
            self._size += last.size
        else:
            self._tick.add(self)
        frames.append(frame)
        if self._size > self._alarm:
            self._alarmed(frame)

    async def send_frame(self, frame: Frame) -> None:
        """Write, and wait while the peer does not read. Raises Disconnected when it is gone."""
        if self.state is State.CLOSED:
            raise Disconnected
        self.write(frame)
        if self._task is not None:
            await self._settled()
            if self.state is State.CLOSED:
                raise Disconnected

    async def send(self, event: Event) -> None:
        """An ASGI event from the consumer."""
        kind = event["type"]
        if kind == "websocket.send":
            await self.send_frame(Frame.of(event))
        elif kind == "websocket.accept":
            await self._send(event)
            self._open()
        elif kind == "websocket.close":
            await self.close(event.get("code") or 1000, event.get("reason") or "")
        else:
            await self._send(event)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close after all that waits has gone out. Doing it twice does nothing."""
        if self.state in (State.CLOSING, State.CLOSED):
            return
        if self.state is not State.CONNECTING:
            self.flush()
            self._enter(State.CLOSING)
            await self._settled()
        if self.state is not State.CLOSED:
            self._enter(State.CLOSED)
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def give_up(self, reason: str, *, patient: bool = True) -> None:
        """End a member that cannot keep up. A patient end leaves it time to read why."""
        logger.warning("A slow connection was closed (%d): %s", SLOW, reason)
        self._lose(SLOW, reason)
        self._hang_up(SLOW, reason, patient=patient)
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": SLOW, "reason": reason})

    @property
    def waiting(self) -> int:
        """Bytes that wait for the peer to read."""
        return self._size + self._frames[-1].size if self._frames else 0

    def flush(self) -> None:
        """Write what waits, as far as the peer takes it."""
        raise NotImplementedError

    def release(self) -> None:
        """The consumer has ended: what it sent last still goes out, and it is forgotten."""
        self._owner = None
        self.flush()
        self._enter(State.CLOSED)

    # What the two kinds share.

    def _open(self) -> None:
        if self.state is State.CONNECTING:
            self._enter(State.OPEN)
            self.flush()

    def _enter(self, state: State) -> None:
        self.state = state
        self._alarm = PIECE if state is State.OPEN else -1
        if state is State.CLOSED:
            self._keep([])

    def _alarmed(self, newest: Outgoing) -> None:
        match self.state:
            case State.OPEN:
                self.flush()
            case State.CONNECTING | State.BLOCKED:
                self._bound(newest)
            case State.CLOSING | State.CLOSED:
                self._keep(self._frames[:-1])

    def _bound(self, newest: Outgoing) -> None:
        """Hold what waits within the settings' limits, by the policy."""
        if self.overflow is Overflow.CONFLATE and newest.key is not None:
            self._drop([f for f in self._frames if f.key != newest.key or f is newest])
        if self._is_full() and self.overflow is Overflow.DROP_OLDEST:
            self._drop(self._frames[len(self._frames) // 4 + 1 :])
        if self._is_full():
            self.give_up(f"{self.waiting:,} bytes wait for a slow reader")

    def _is_full(self) -> bool:
        return (
            self.waiting > settings.REALTIME_OUTBOX_BYTES
            or len(self._frames) > settings.REALTIME_OUTBOX_MESSAGES
        )

    def _drop(self, kept: list[Outgoing]) -> None:
        self.dropped += len(self._frames) - len(kept)
        self._keep(kept)

    def _keep(self, frames: list[Outgoing]) -> None:
        self._frames = frames
        self._size = sum(frame.size for frame in frames[:-1])

    async def _settled(self) -> None:
        """Until the peer has taken what waited, or has been given up."""
        if self._task is not None:
            await asyncio.wait([self._task])

    def _hang_up(self, code: int, reason: str, *, patient: bool) -> None:
        raise NotImplementedError

    def _lose(self, code: int, reason: str) -> None:
        """The peer is gone, whoever noticed. The owner hears it once."""
        self._enter(State.CLOSED)
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.connection_lost(code, reason)


class Tick:
    """The connections of one loop that have something to write when this tick ends."""

    __slots__ = ("_connections", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._connections: list[Connection] = []

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Tick:
        """The one of `loop`, which runs in this thread."""
        tick: Tick | None = getattr(_thread, "tick", None)
        if tick is None or tick.loop is not loop:
            tick = _thread.tick = cls(loop)
        return tick

    def add(self, connection: Connection) -> None:
        if not self._connections:
            self.loop.call_soon(self._end)
        self._connections.append(connection)

    def _end(self) -> None:
        connections, self._connections = self._connections, []
        for connection in connections:
            try:
                connection.flush()
            except Exception:
                logger.exception("A connection could not be written to")


_thread = threading.local()
