"""What the HTTP API answers, as types: docs/openapi.json is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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


class Shown(Struct):
    """A member as the operator sees it; `outbox`: bytes that wait for it to read."""

    id: str
    name: str
    connections: Number
    away: bool
    state: dict[str, Any]
    outbox: Number


class Members(Struct):
    """Those of a room that were asked for: `count` of them, the first 200 listed."""

    room: str
    count: Number
    members: list[Shown]


class Closed(Struct):
    """How many connections were closed."""

    closed: Number


class Told(Struct):
    """How many connections of screens were told."""

    receivers: Number


class Expected(Struct):
    """Whether the screen is waited for when it is gone."""

    expected: bool


class Rates(Struct):
    """Per second: messages from sockets, messages × sockets they went to, bytes."""

    received: float
    delivered: float
    sent_bytes: float


class SlowReader(Struct):
    """Who has `bytes` waiting; no room, and no member, for a socket that is in none."""

    room: str | None
    member: str | None
    name: str
    bytes: Number


class Outbox(Struct):
    """Bytes that wait for readers: in all, for the slowest, and for how many connections."""

    sum: Number
    largest: Number
    connections: Number
    slowest: list[SlowReader]


class Lag(Struct):
    """Seconds by which the loop was late: last, and at worst within a minute."""

    latest: float
    worst: float


class BusyRoom(Struct):
    """A room in numbers; `kept`: messages that it remembers."""

    name: str
    members: Number
    connections: Number
    offset: Number
    kept: Number


BusyRoomList = list[BusyRoom]  # in a class with a field `list` the type has no name


class BusyRooms(Struct):
    """Of all rooms, those that were asked for; the 200 with the most connections are listed."""

    count: Number
    found: Number
    list: BusyRoomList


class ScreenState(Struct):
    """A screen on a wall; `gone`: seconds since it was last seen."""

    room: str
    member: str
    name: str
    expected: bool
    state: Literal["here", "away", "missing"]
    gone: float | None


ScreenList = list[ScreenState]


class Screens(Struct):
    """All that are known; the expected first, of these who is missing longest."""

    count: Number
    expected: Number
    missing: Number
    list: ScreenList


class Series(Struct):
    """The last ten minutes, in lists of equal length; `ago`: seconds before the newest."""

    ago: list[float]
    connections: list[Number]
    delivered: list[float]
    lag: list[float]
    memory: list[Number | None]


class Status(Struct):
    """What the server is doing. `memory`: resident bytes, null where the system does not say."""

    at: str
    uptime: float
    build: str
    connections: Number
    members: Number
    rates: Rates | None
    outbox: Outbox
    slow: Number
    dropped: Number
    closes: dict[str, Number]
    refusals: dict[str, Number]
    lag: Lag
    memory: Number | None
    rooms: BusyRooms
    screens: Screens
    keeps_screens: bool
    series: Series | UnsetType = UNSET
