"""The rooms of this process, and the loop that serves them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from realtime import conf, lag
from realtime.layers import InMemoryChannelLayer
from realtime.limits import fair_share
from realtime.presence import Clock
from realtime.rooms import Full, Room
from realtime.screens import Screens
from realtime.words import counted

# The key of the expected screens in a hub's notes.
SCREENS = "screens"

# How often rooms that nobody is in are looked at, in seconds.
SWEEP = 60.0

# Milliseconds for which the first retry is spread: 5 for each connection, within these bounds.
RETRY_MS, LEAST_SPREAD, MOST_SPREAD, SPREAD_EACH = 100, 1_000, 30_000, 5

# What all rooms remember is weighed each time that this part of what they may has been added.
WEIGHED_EACH = 1 / 16

# Seconds until it is said again that rooms had to forget for want of space.
SAID_EACH = 600.0

logger = logging.getLogger("realtime")


class NotServingError(RuntimeError):
    """This process serves no sockets, so that nobody would hear."""


class Hub:
    """The rooms of this process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rooms: dict[str, Room] = {}
        self.connections = 0
        # Event streams of each room: they read along, and nobody sees them in its roster.
        self.readers: Counter[str] = Counter()
        self.screens = Screens(self._note_screens)
        self.started_at = clock.time()
        self.build: str = settings.REALTIME_BUILD or conf.build()
        # Plain JSON that other modules want to find again after a restart, under a key of theirs.
        self.notes: dict[str, Any] = {}
        # Called with a room's name when something is stored there, before anybody hears it.
        self.spoken: Callable[[str], object] = lambda room: None
        self._sweeping: Any = None
        self._unweighed = 0
        self._said_at = -SAID_EACH

    def room(self, name: str) -> Room:
        """The room of that name, which a check of names.py has passed; made when there is none."""
        room = self.rooms.get(name)
        if room is None:
            if len(self.rooms) >= settings.REALTIME_MAX_ROOMS:
                self._make_room()
            room = self.rooms[name] = Room(name, self)
            if self._sweeping is None:
                self._sweeping = self.clock.call_at(self.clock.time() + SWEEP, self._sweep)
        return room

    def retry_ms(self) -> tuple[int, int]:
        """How far the first retries after a restart are spread, so that not all come at once."""
        spread = max(LEAST_SPREAD, min(MOST_SPREAD, self.connections * SPREAD_EACH))
        return RETRY_MS, spread

    def discard_if_idle(self, room: Room) -> None:
        if room.is_idle and self.rooms.get(room.name) is room:
            self._forget(room)

    def stored(self, room: Room, weight: int) -> None:
        """Something of that weight is in the room's history, and nobody has heard it yet."""
        self.spoken(room.name)
        self._unweighed += weight
        if self._unweighed >= settings.REALTIME_HISTORY_TOTAL_BYTES * WEIGHED_EACH:
            self._weigh()

    def recall(self) -> None:
        """After a restart: `notes` are there again, and what is in them counts."""
        if SCREENS not in self.notes:
            return
        try:
            self.screens.restore(self.notes[SCREENS], now=self.clock.time(), wall=time.time())
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("The screens of the snapshot are forgotten: %r", error)

    def subscribe(self, group: str, channel: str) -> None:
        layer = get_channel_layer()
        if isinstance(layer, InMemoryChannelLayer):
            layer.enter(group, channel)

    def broadcast(self, group: str, text: str, exclude: str | None) -> None:
        message = {"type": "websocket.send", "text": text}
        if exclude is not None:
            message["exclude"] = exclude
        layer = get_channel_layer()
        if isinstance(layer, InMemoryChannelLayer):
            layer.broadcast(group, message)
        else:
            _background(layer.group_send(group, message))

    def _note_screens(self) -> None:
        self.notes[SCREENS] = self.screens.dump(now=self.clock.time(), wall=time.time())

    def _weigh(self) -> None:
        """When all histories together are too large, the largest forget their oldest messages."""
        self._unweighed, most = 0, settings.REALTIME_HISTORY_TOTAL_BYTES
        weights = [room.history.weight for room in self.rooms.values()]
        if sum(weights) <= most:
            return
        share = fair_share(weights, most)
        for room in self.rooms.values():
            room.history.shrink(share)
        if self.clock.time() - self._said_at >= SAID_EACH:
            self._said_at = self.clock.time()
            logger.warning(
                "Rooms remember all that REALTIME_HISTORY_TOTAL_BYTES allows (%d MiB): those with "
                "the most have forgotten their oldest messages, down to %d KiB a room.",
                most >> 20,
                share >> 10,
            )

    def _make_room(self) -> None:
        """Forget the oldest room that nobody is in: invented names must not lock others out."""
        for room in self.rooms.values():
            if not room.seats and not len(room.roster):
                self._forget(room)
                return
        most = counted(settings.REALTIME_MAX_ROOMS, "room")
        raise Full(f"This server holds {most}, and not one is free.")

    def _forget(self, room: Room) -> None:
        del self.rooms[room.name]
        room.end()

    def _sweep(self) -> None:
        for room in list(self.rooms.values()):
            room.history.expire(self.clock.time())
            self.discard_if_idle(room)
        self._sweeping = None
        if self.rooms:
            self._sweeping = self.clock.call_at(self.clock.time() + SWEEP, self._sweep)


_tasks: set[asyncio.Task[None]] = set()


def _background(work: Any) -> None:
    """Run on a loop that keeps only weak references to its tasks."""
    task = asyncio.ensure_future(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


_hub: Hub | None = None


def serve_here() -> Hub:
    """The hub of the running loop. A loop that has ended takes its rooms with it."""
    global _hub
    loop = asyncio.get_running_loop()
    if _hub is None or _hub.clock is not loop:
        _hub = Hub(loop)
        lag.watch_here()
    return _hub


_this_thread = threading.local()


def until(over: threading.Event) -> None:
    """From `over` on nobody hears this thread, not even a later server of the same process."""
    _this_thread.over = over


def serving_hub() -> Hub:
    """The hub of this process, from any thread. Raises NotServingError."""
    over = getattr(_this_thread, "over", None)
    if over is not None and over.is_set():
        raise NotServingError("The server that this thread worked for has stopped.")
    if _hub is None or _hub.clock.is_closed():  # type: ignore[attr-defined]
        raise NotServingError(
            "This process serves no sockets. From another one, publish over HTTP: "
            "POST /api/rooms/<room>/messages/, or `python app.py publish ROOM JSON`."
        )
    return _hub
