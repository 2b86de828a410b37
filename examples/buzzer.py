"""A buzzer: who was first, in the order that the server heard. The host starts each round."""

from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from realtime import RoomConsumer
from realtime.room_consumer import Refused
from realtime.rooms import Room

PLACES = 10


class Buzzer(RoomConsumer):
    kind = "buzzer"  # rooms of its own, which no other path leads into

    # Each room's round, names by member, the first first; forgotten with the room.
    rounds: ClassVar[WeakKeyDictionary[Room, dict[str, str]]] = WeakKeyDictionary()

    async def authorize(self, action: str, message: object = None) -> None:
        if action == "message":
            raise Refused("Only the server says here who was first.")
        if action == "reset" and self.member_id != self.room.roster.members()[0].id:
            raise Refused("Only the host, who is here longest, starts a new round.")

    async def on_look(self, message: dict[str, Any]) -> None:
        self.tell({"type": "round", "order": list(self.rounds.get(self.room, {}).values())})

    async def on_buzz(self, message: dict[str, Any]) -> None:
        # Nothing is awaited between the look and the entry, so nobody comes in between.
        order = self.rounds.setdefault(self.room, {})
        if self.member_id not in order and len(order) < PLACES:
            order[self.member_id] = self.name
            self.publish(list(order.values()))

    async def on_reset(self, message: dict[str, Any]) -> None:
        self.rounds.pop(self.room, None)
        self.publish([])
