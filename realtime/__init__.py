"""Real-time Django in one process, in memory.

To read it in an evening: codes, messages, codec, names, roster, history, limits, arrival (pure);
frames, tick, connection, its two kinds, mailbox, subscriber, layers (the way out); consumer,
consumers; presence, rooms, hub, seat, room_consumer, publishing; routing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Now, and not on first use: the function `roster` is to stand here, not the module of that name.
from realtime.publishing import disconnect, publish, roster, user_room

if TYPE_CHECKING:
    from realtime.room_consumer import RoomConsumer

__all__ = ["RoomConsumer", "disconnect", "publish", "roster", "user_room"]


def __getattr__(name: str) -> Any:
    """RoomConsumer on first use: it needs Django's settings, which import this package."""
    if name == "RoomConsumer":
        from realtime.room_consumer import RoomConsumer

        return RoomConsumer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
