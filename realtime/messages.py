"""The wire, version 1: one typed struct for each JSON frame.

Here: shapes and limits of fields. Not here: reading and writing them (codec), error and close
codes (codes), sockets, rooms, how often and how large (consumers, limits), merging of `state`
(roster), the JSON Schema (tests/test_schema.py).

A field that we do not know is ignored, for a newer client may say more; an optional field is left
out when absent (`null` is not absent).
"""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

PROTOCOL = 1

# The type of an application's own message names a method: on_<type>, "." and "-" as "_".
CUSTOM_TYPE = r"^[a-z][a-z0-9_.-]{0,31}$"

# The largest integer that JavaScript tells from its neighbours, so the largest it can match again.
MAX_INT = 2**53 - 1

Ref = Annotated[str, Meta(max_length=64)] | Annotated[int, Meta(ge=-MAX_INT, le=MAX_INT)]
MemberId = Annotated[str, Meta(min_length=1, max_length=64)]


class _Frame(Struct, frozen=True, tag_field="type"):
    """A JSON object whose `type` is the tag of its class."""


# From the browser


class Message(_Frame, tag="message", frozen=True):
    """To all in the room, the sender too; stored and numbered. With a `ref` an `ack` answers it.

    Sent again after a resume, with the same `ref`, it is acknowledged again, not delivered twice.
    """

    data: Any
    ref: Ref | UnsetType = UNSET


class Signal(_Frame, tag="signal", frozen=True):
    """To everyone else, or to all connections of the member `to`; never stored: typing, cursors."""

    data: Any
    to: MemberId | UnsetType = UNSET


class State(_Frame, tag="state", frozen=True):
    """A merge patch (RFC 7396) to my own state in the roster: `null` deletes a key."""

    state: dict[str, Any]


class Resync(_Frame, tag="resync", frozen=True):
    """I saw a hole in `seq`: send me the roster again."""


class Leave(_Frame, tag="leave", frozen=True):
    """I go for good: nobody needs to wait for me."""


class Pong(_Frame, tag="pong", frozen=True):
    """The answer to `ping`."""


class Custom(Struct, frozen=True):
    """An application's own type with any fields; whether somebody handles it is not known here."""

    type: str
    fields: dict[str, Any]
    ref: Ref | UnsetType = UNSET

    @property
    def handler(self) -> str:
        """The one method it can reach: "quiz.buzz" and "quiz-buzz" are both `on_quiz_buzz`."""
        return "on_" + self.type.replace(".", "_").replace("-", "_")


BuiltIn = Message | Signal | State | Resync | Leave | Pong
ClientMessage = BuiltIn | Custom


# To the browser


class MemberInfo(Struct, frozen=True):
    """One person or device, however many sockets it has; `away` while a lost one may come back."""

    id: str
    name: str
    connections: int
    state: dict[str, Any]
    away: bool


class Count(Struct, frozen=True):
    """How many people and devices are here, and how many sockets they have."""

    members: int
    connections: int


# Raw is JSON made earlier and copied in as it is: the roster once a tick, a message once for ever.
_Roster = Meta(extra_json_schema={"type": "array", "items": {"$ref": "#/$defs/MemberInfo"}})
_Stored = Meta(extra_json_schema={"$ref": "#/$defs/RoomMessage"})


class Welcome(_Frame, tag="welcome", frozen=True, kw_only=True):
    """First frame: who you are, who is here and what you missed (or the recent messages), in order.

    `recovered`: true, this is all you missed; false, there is a gap; null, you asked for nothing.
    `heartbeat`: seconds between pings. `retry_ms`: spread of the first retry, [min, max].
    """

    protocol: int
    room: str
    member: str
    epoch: str
    offset: int
    recovered: bool | None
    messages: list[Annotated[Raw, _Stored]]
    members: Annotated[Raw, _Roster]
    count: Count
    seq: int
    heartbeat: float
    retry_ms: tuple[int, int]
    build: str


class RoomMessage(_Frame, tag="message", frozen=True, kw_only=True):
    """A stored message; `member` is null for the server. `at` is ISO 8601 in UTC, for display."""

    offset: int
    member: str | None
    name: str
    data: Any
    at: str


class RoomSignal(_Frame, tag="signal", frozen=True, kw_only=True):
    """A signal from a member, or from the server (null)."""

    member: str | None
    data: Any


class Presence(_Frame, tag="presence", frozen=True, kw_only=True):
    """What changed in the roster since the last `seq`; `leaves` are member ids."""

    seq: int
    count: Count
    joins: list[MemberInfo]
    updates: list[MemberInfo]
    leaves: list[str]


class Ack(_Frame, tag="ack", frozen=True):
    """Your message with this `ref` has this `offset`."""

    ref: Ref
    offset: int


class Error(_Frame, tag="error", frozen=True, kw_only=True):
    """A frame was refused; the socket stays open. `path` is the field at fault, such as `$.ref`."""

    code: str
    detail: str
    path: str | UnsetType = UNSET
    ref: Ref | UnsetType = UNSET


class Ping(_Frame, tag="ping", frozen=True):
    """Answer with `pong`; a client that misses pings for too long reconnects."""


class Bye(_Frame, tag="bye", frozen=True, kw_only=True):
    """Last frame: why we close, whether to come back and after how many ms, [min, max]."""

    reason: str
    reconnect: bool
    retry_ms: tuple[int, int]


ServerMessage = Welcome | RoomMessage | RoomSignal | Presence | Ack | Error | Ping | Bye
