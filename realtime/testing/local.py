"""Rooms without a network: a clock that a test moves, a hub that delivers at once.

A room of a thousand members costs milliseconds, and a month of it passes in a call.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from realtime.arrival import Arrival
from realtime.codec import decode, encode
from realtime.hub import Hub
from realtime.messages import ServerMessage
from realtime.room_consumer import RoomConsumer
from realtime.rooms import Room
from realtime.roster import Departure
from realtime.testing.clock import StandingClock
from realtime.testing.view import Frame, View


class LocalHub(Hub):
    """Delivers to the seats of its rooms as a channel layer would."""

    clock: StandingClock

    def __init__(self, check: Callable[[str], Frame] = json.loads) -> None:
        super().__init__(StandingClock())
        self.check = check
        self.groups: dict[str, dict[str, LocalSeat]] = {}
        self.seats: dict[str, LocalSeat] = {}
        # What went out: frames to groups, and their bytes by all who got them.
        self.broadcasts: list[Frame] = []
        self.bytes = 0

    def subscribe(self, group: str, channel: str) -> None:
        if channel in self.seats:
            self.groups.setdefault(group, {})[channel] = self.seats[channel]

    def broadcast(self, group: str, text: str, exclude: str | None) -> None:
        self.broadcasts.append(self.check(text))
        for channel, seat in self.groups.get(group, {}).items():
            if channel != exclude:
                seat.hear(text)

    def fill(self, members: int, room: str = "kitchen") -> list[LocalSeat]:
        """So many members come at once, each with one connection, and are welcomed."""
        seats = [self.seat(f"m{number}", room, name=f"M{number}") for number in range(members)]
        self.clock.pass_(1)
        return seats

    def of_type(self, kind: str) -> list[Frame]:
        return [frame for frame in self.broadcasts if frame["type"] == kind]

    def seat(
        self, member: str, room: str = "kitchen", *, view: View | None = None, **arrival: Any
    ) -> LocalSeat:
        """A connection that enters, but has not been welcomed before the tick ends."""
        seat = LocalSeat(self, self.room(room), member, view or View())
        self.seats[seat.channel_name] = seat
        seat.room.enter(seat, Arrival(**arrival))
        seat.resumed_at = seat.room.known_to(Arrival(**arrival))
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
        frame = self.hub.check(text)
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
