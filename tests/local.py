"""Rooms without a network: a clock that a test moves, a hub that delivers at once."""

from __future__ import annotations

import contextlib
import heapq
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from realtime.arrival import Arrival
from realtime.hub import Hub
from realtime.messages import ServerMessage, decode, encode
from realtime.room_consumer import RoomConsumer
from realtime.rooms import Room
from realtime.roster import Departure
from tests.wire import Frame, View, valid


@dataclass
class Timer:
    callback: Callable[[], object]
    at: float
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


class StandingClock:
    """A loop's clock and calls, which move only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._soon: list[Timer] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = count()

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], object]) -> Timer:
        self._soon.append(Timer(callback, self.now))
        return self._soon[-1]

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        timer = Timer(callback, when)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def tick(self) -> None:
        """All that was to be called soon, and what that called."""
        while self._soon:
            soon, self._soon = self._soon, []
            for timer in soon:
                if not timer.cancelled:
                    timer.callback()

    def pass_(self, seconds: float) -> None:
        """Time passes; every timer finds the moment it is due at."""
        self.tick()
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            self.now = max(self.now, self._timers[0][0])
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                timer.callback()
            self.tick()
        self.now = end


class LocalHub(Hub):
    """Delivers to the seats of its rooms as a channel layer would."""

    clock: StandingClock

    def __init__(self) -> None:
        super().__init__(StandingClock())
        self.groups: dict[str, dict[str, LocalSeat]] = {}
        self.seats: dict[str, LocalSeat] = {}
        # What went out: frames to groups, and their bytes by all who got them.
        self.broadcasts: list[Frame] = []
        self.bytes = 0

    def subscribe(self, group: str, channel: str) -> None:
        if channel in self.seats:
            self.groups.setdefault(group, {})[channel] = self.seats[channel]

    def broadcast(self, group: str, text: str, exclude: str | None) -> None:
        self.broadcasts.append(valid(text))
        for channel, seat in self.groups.get(group, {}).items():
            if channel != exclude:
                seat.hear(text)

    def of_type(self, kind: str) -> list[Frame]:
        return [frame for frame in self.broadcasts if frame["type"] == kind]

    def seat(
        self, member: str, room: str = "kitchen", *, view: View | None = None, **arrival: Any
    ) -> LocalSeat:
        """A connection that enters, but has not been welcomed before the tick ends."""
        seat = LocalSeat(self, self.room(room), member, view or View())
        self.seats[seat.channel_name] = seat
        seat.room.enter(seat, Arrival(**arrival))
        seat.resumed_at = arrival["resume"][1] if arrival.get("resume") else None
        return seat


_numbers = count(1)


class LocalSeat(RoomConsumer):
    """One connection, with the view that its client has: our consumer without a socket."""

    def __init__(self, hub: LocalHub, room: Room, member: str, view: View) -> None:
        self.hub, self.room, self.member_id, self.view = hub, room, member, view
        self.channel_name = f"local.{next(_numbers)}"
        self.frames: list[Frame] = []
        # Whether what it is sent is lost on the way.
        self.is_deaf = False

    def tell(self, message: ServerMessage | Mapping[str, Any]) -> None:
        self.hear(encode(message).decode())

    def send_message(self, kind: str, **fields: Any) -> None:
        """A frame from the browser, decoded and handled as any."""
        handling = self._handle(decode(json.dumps({"type": kind, **fields})))
        with contextlib.suppress(StopIteration):
            handling.send(None)
            raise AssertionError("a handler of ours has waited for something")

    def hear(self, text: str) -> None:
        self.hub.bytes += len(text)
        frame = valid(text)
        if self.is_deaf:
            return
        self.frames.append(frame)
        for answer in self.view.take(frame):
            if answer["type"] == "resync":
                self.room.resync(self)

    def of_type(self, kind: str) -> list[Frame]:
        return [frame for frame in self.frames if frame["type"] == kind]

    def goes(self, departure: Departure) -> None:
        """Its socket ends: out of its groups, as the layer does it, and out of the room."""
        self.hub.seats.pop(self.channel_name, None)
        for members in self.hub.groups.values():
            members.pop(self.channel_name, None)
        self.view.lost()
        self.room.leave(self, departure)
