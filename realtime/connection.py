"""One socket's way out.

Frames are gathered and written at the end of the loop's tick, all at once, in the order in which
they came. What a slow reader leaves waiting is bounded, and so is the time for which it may take
nothing. How bytes reach a socket stands in `uvicorn_connection.py` and `asgi_connection.py`;
rooms, groups and consumers are not known here.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias

from channels.exceptions import StopConsumer
from django.conf import settings

from realtime import counters
from realtime.frames import Batch, Frame
from realtime.hosts import close_reason
from realtime.mailbox import Mailbox
from realtime.tick import Tick

Event: TypeAlias = dict[str, Any]
Outgoing: TypeAlias = Frame | Batch
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

SLOW = 4508
GONE = 1006

# Frames go to the transport in pieces of about this size: asyncio's own high-water mark, above
# which it says "pause", and what follows waits here, where it is bounded.
PIECE = 65_536

# Events that may wait for a busy handler before reading from the socket stops.
INBOX = 64

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


# As globals, for Python 3.11 takes 100 ns to look up a member in its enum.
CONNECTING, OPEN, BLOCKED, CLOSING, CLOSED = State


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
        "_settled",
        "_size",
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
        # Done when a blocked peer has taken all; there is one while somebody waits for that.
        self._settled: asyncio.Future[None] | None = None
        self.overflow = overflow
        self.state = CONNECTING
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
        self.write(frame)
        if self.state is not OPEN:
            await self._until_taken()

    async def send(self, event: Event) -> None:
        """An ASGI event from the consumer."""
        kind = event["type"]
        if kind == "websocket.send":
            await self.send_frame(Frame.of(event))
        elif kind == "websocket.close":
            await self.close(event.get("code") or 1000, event.get("reason") or "")
        else:
            await self._forward(event)
            if kind == "websocket.accept":
                self._open()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close after all that waits has gone out. Doing it twice does nothing."""
        if self.state is CLOSING or self.state is CLOSED:
            return
        if self.state is not CONNECTING:
            await self._finish()
        if self.state is not CLOSED:
            self._enter(CLOSED)
            await self._say_close(code, close_reason(reason))
            self._lose(code, reason)

    def give_up(self, reason: str, *, patient: bool = True) -> None:
        """End a member that cannot keep up. A patient end leaves it time to read why."""
        if self.state is CLOSED:
            return
        logger.warning("A slow connection was closed (%d): %s", SLOW, reason)
        self._lose(SLOW, reason)
        self._hang_up(SLOW, close_reason(reason), patient=patient)

    @property
    def waiting(self) -> int:
        """Bytes that wait for the peer to read."""
        return self._size + self._frames[-1].size if self._frames else 0

    def flush(self) -> None:
        """Write what waits, as far as the peer takes it."""
        raise NotImplementedError

    def release(self) -> None:
        """The consumer has ended, and is forgotten."""
        self._owner = None
        self._enter(CLOSED)

    # What the two kinds share.

    def _open(self) -> None:
        """Accepted: what waited for that goes out."""
        raise NotImplementedError

    def _enter(self, state: State) -> None:
        self.state = state
        self._alarm = PIECE if state is OPEN else -1
        if state is CLOSED:
            self._keep([])
        if state is OPEN or state is CLOSED:
            self._settle()

    def _alarmed(self, newest: Outgoing) -> None:
        if self.state is OPEN:
            self.flush()
        elif self.state is CONNECTING or self.state is BLOCKED:
            self._bound(newest)
        else:
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
        count = _messages(self._frames) - _messages(kept)
        self.dropped += count
        counters.dropped[self.overflow.value] += count
        self._keep(kept)

    def _keep(self, frames: list[Outgoing]) -> None:
        self._frames = frames
        self._size = sum([frame.size for frame in frames[:-1]])

    async def _until_taken(self) -> None:
        if self.state is BLOCKED:
            await self._wait()
        if self.state is CLOSING or self.state is CLOSED:
            raise Disconnected

    async def _finish(self) -> None:
        """Let go out what waits, and nothing more: not even into a batch that could still grow."""
        self.flush()
        blocked = self.state is BLOCKED
        if self._frames:
            self._frames[-1].open = False
        if self.state is not CLOSED:
            self._enter(CLOSING)
        if blocked:
            await self._wait()

    async def _wait(self) -> None:
        """Until the peer has taken what waited, or has been given up."""
        if self._settled is None:
            self._settled = self._tick.loop.create_future()
        await asyncio.wait([self._settled])  # it is not cancelled with one of those who wait

    def _settle(self) -> None:
        settled, self._settled = self._settled, None
        if settled is not None:
            settled.set_result(None)

    async def _forward(self, event: Event) -> None:
        """To the server as it is. Its word for "the peer has gone" is an OSError (ASGI 2.4)."""
        if self.state is CLOSED:
            raise Disconnected
        try:
            await self._send(event)
        except OSError:
            raise Disconnected from None

    async def _say_close(self, code: int, reason: str) -> None:
        raise NotImplementedError

    def _hang_up(self, code: int, reason: str, *, patient: bool) -> None:
        """End the socket, and put the event that says so into the inbox."""
        raise NotImplementedError

    def _lose(self, code: int, reason: str) -> None:
        """The peer is gone, whoever noticed. The owner hears it once."""
        self._enter(CLOSED)
        owner, self._owner = self._owner, None
        if owner is None:
            return
        try:
            owner.connection_lost(code, reason)
        except Exception:  # the server, whose callback this is, has its own tidying to do
            logger.exception("connection_lost() of %s failed", type(owner).__qualname__)


def _messages(frames: list[Outgoing]) -> int:
    return sum([frame.count for frame in frames])
