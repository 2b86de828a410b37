"""What the HTTP API answers, as types: docs/openapi.json is made of them."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Number = Annotated[int, Meta(ge=0)]

# Raw is JSON that was made earlier and is copied in as it is.
Roster = Annotated[
    Raw, Meta(extra_json_schema={"type": "array", "items": {"$ref": "#/$defs/MemberInfo"}})
]
Stored = Annotated[Raw, Meta(extra_json_schema={"$ref": "#/$defs/RoomMessage"})]


class RoomSummary(Struct):
    """How many are in a room, and where its history stands."""

    name: str
    members: Number
    connections: Number
    epoch: str
    offset: Number


class Rooms(Struct):
    """The rooms there are."""

    rooms: list[RoomSummary]


class RoomState(RoomSummary):
    """A room, and who is in it."""

    roster: Roster


class Messages(Struct):
    """What came after the offset that was asked for, or all that is held, in order.

    `recovered`: true, these are all; false, there is a gap before them; null, nobody asked.
    """

    epoch: str
    offset: Number
    recovered: bool | None
    messages: list[Stored]


class Posted(Struct):
    """Where a message went: its `offset`, null when it is not kept, and to how many sockets."""

    offset: Number | None
    receivers: Number


class Problem(Struct):
    """Why not: a word for programs, a sentence for people, and the field at fault if it is one."""

    code: str
    detail: str
    field: str | UnsetType = UNSET


class Refusal(Struct):
    """The body of every answer of 400 and above."""

    error: Problem


class Standing(Struct):
    """The first event of a stream: where the room's history stands; no epoch, no history yet."""

    epoch: str | None
    offset: Number
    recovered: bool | None
