"""A poll: one vote for each member, however many tabs; it can be changed, and outlives the page."""

from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from realtime import RoomConsumer
from realtime.room_consumer import Refused
from realtime.rooms import Room

CHOICES = ["Tea", "Coffee", "Water"]
MOST = 2_000  # votes: invented members must not fill the memory


class Poll(RoomConsumer):
    kind = "poll"  # rooms of its own, which no other path leads into

    # Each room's votes, by member; forgotten with the room.
    votes: ClassVar[WeakKeyDictionary[Room, dict[str, str]]] = WeakKeyDictionary()

    async def authorize(self, action: str, message: object = None) -> None:
        if action == "message":
            raise Refused("Only the server says here how it stands.")

    async def on_look(self, message: dict[str, Any]) -> None:
        votes = self.votes.setdefault(self.room, {})
        self.tell({"type": "result", "counts": count(votes), "mine": votes.get(self.member_id)})

    async def on_vote(self, message: dict[str, Any]) -> None:
        votes = self.votes.setdefault(self.room, {})
        if message.get("choice") not in CHOICES:
            raise Refused(f"Choose one of {', '.join(CHOICES)}.")
        if len(votes) >= MOST and self.member_id not in votes:
            raise Refused("So many have voted that the poll is closed.")
        votes[self.member_id] = message["choice"]
        self.publish(count(votes))


def count(votes: dict[str, str]) -> dict[str, int]:
    return {choice: list(votes.values()).count(choice) for choice in CHOICES}
