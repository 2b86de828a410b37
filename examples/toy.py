"""A game: all run for one star. Where you are is your state, which only the server changes."""

from secrets import randbelow
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from realtime import RoomConsumer
from realtime.room_consumer import Refused
from realtime.rooms import Room

SIZE = 9  # squares each way, as examples.css has it
STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class Toy(RoomConsumer):
    kind = "toy"  # rooms of its own, which no other path leads into

    stars: ClassVar[WeakKeyDictionary[Room, list[int]]] = WeakKeyDictionary()

    async def authorize(self, action: str, message: object = None) -> None:
        if action in ("message", "state"):
            raise Refused("Only the server says here where everybody is.")

    async def on_look(self, message: dict[str, Any]) -> None:
        self.tell({"type": "star", "at": self.stars.setdefault(self.room, [2, 2])})
        self.go(0, 0)

    async def on_step(self, message: dict[str, Any]) -> None:
        self.go(*STEPS.get(str(message.get("to")), (0, 0)))

    def go(self, right: int, down: int) -> None:
        member = self.room.roster.get(self.member_id)
        me = {"x": 4, "y": 4, "stars": 0} | (member.state if member else {})
        me["x"], me["y"] = (me["x"] + right) % SIZE, (me["y"] + down) % SIZE
        if self.stars.get(self.room) == [me["x"], me["y"]]:
            me["stars"] += 1
            self.stars[self.room] = [randbelow(SIZE), randbelow(SIZE)]
            self.publish(self.stars[self.room])
        self.room.update(self, me)
