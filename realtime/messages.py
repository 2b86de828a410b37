"""The wire, version 1: one typed struct per JSON frame; `decode` what they send, `encode` the rest.

Here: shapes, limits of fields, error and close codes. Not here: sockets, rooms, how often and how
large (consumers, limits), merging of `state` (roster), which field holds what no JSON can (blame),
the JSON Schema (tests/test_schema.py).

Rule 1: whatever a peer sends, `decode` raises `BadMessage` or nothing. Rule 2: what it returns can
be encoded again. A field that we do not know is ignored, for a newer client may say more; an
optional field is left out when absent (`null` is not absent). Whole numbers come through exactly,
up to Python's 4,300 digits; of a key that stands twice the last counts.
"""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Annotated, Any, NoReturn, get_args

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from realtime import blame

PROTOCOL = 1

# Containers one inside the other in `data`, `state` or own fields. Real frames have 3 to 6, and
# whatever walks them later (merge patch, a browser) is safe at 32.
MAX_DEPTH = 32

# The type of an application's own message names a method: on_<type>, "." and "-" as "_".
CUSTOM_TYPE = r"^[a-z][a-z0-9_.-]{0,31}$"

# The largest integer that JavaScript tells from its neighbours, so the largest it can match again.
MAX_INT = 2**53 - 1

Ref = Annotated[str, Meta(max_length=64)] | Annotated[int, Meta(ge=-MAX_INT, le=MAX_INT)]
MemberId = Annotated[str, Meta(min_length=1, max_length=64)]


class CloseCode(IntEnum):
    """Why a socket ended (RFC 6455 section 7.4; 4000 to 4999 are the application's)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    TOO_BIG = 1009
    BUG = 1011
    RESTART = 1012
    PROTOCOL = 4400
    LOGIN = 4401
    FORBIDDEN = 4403
    NOT_FOUND = 4404
    REPLACED = 4409
    FULL = 4503
    SLOW = 4508
    RATE = 4529


def is_final(code: int) -> bool:
    """Trying again is no use. 1000 is not final: it is what Channels' `close()` sends."""
    return 4400 <= code <= 4499


class ErrorCode(StrEnum):
    """The `code` of an `error` that we send; an application's handlers may add theirs."""

    BAD_JSON = "bad_json"  # no JSON, or a number or text that could not be sent on
    BAD_SHAPE = "bad_shape"  # a field is missing, of another type or too long
    TOO_DEEP = "too_deep"
    UNKNOWN_TYPE = "unknown_type"  # no legal name, or nobody handles it
    UNKNOWN_MEMBER = "unknown_member"
    BAD_NAME = "bad_name"
    FORBIDDEN = "forbidden"
    BINARY = "binary"
    TOO_LARGE = "too_large"
    RATE = "rate"
    BUG = "bug"


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


class BadMessage(Exception):  # noqa: N818 (it names what came, as ChannelFull does)
    """The peer's fault. `detail` is a sentence for its author; `ref` is there if it was legible."""

    def __init__(
        self, code: ErrorCode, detail: str, *, path: str = "$", ref: Ref | UnsetType = UNSET
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.path, self.ref = code, detail, path, ref

    def answer(self) -> Error:
        return Error(code=self.code, detail=self.detail, path=self.path, ref=self.ref)


class NotJSON(TypeError):  # noqa: N818 (as BadMessage)
    """Our side's fault: what was to be sent cannot be said in JSON."""

    def __init__(self, why: str) -> None:
        super().__init__(f"This cannot be sent as JSON: {why}.")


_built_in: msgspec.json.Decoder[BuiltIn] = msgspec.json.Decoder(BuiltIn)
_anything = msgspec.json.Decoder()
_fields = {cls.__struct_config__.tag: cls.__struct_fields__ for cls in get_args(BuiltIn)}


def decode(text: str | bytes) -> ClientMessage:
    try:
        frame = text.encode() if isinstance(text, str) else text
        try:
            message: ClientMessage = _built_in.decode(frame)
        except msgspec.ValidationError as error:
            message = _custom(_anything.decode(frame), error)
    except RecursionError:  # msgspec's own end, near 1,000 levels
        raise _too_deep(text, UNSET) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _bad_json(text, error) from None
    # No deeper than it has brackets: two counts in C spare nearly every frame the walk.
    if frame.count(b"{") + frame.count(b"[") > MAX_DEPTH and _depth(message) > MAX_DEPTH:
        raise _too_deep(text, getattr(message, "ref", UNSET))
    return message


def encode(message: Struct | Sequence[object] | Mapping[str, Any]) -> bytes:
    """Raises TypeError, in a sentence, for `data` that is no JSON: our side's fault.

    `Raw(encode(members))` is the roster of a `Welcome`, `Raw(entry.text)` one of its messages.
    """
    try:
        return _encoder.encode(message)
    except NotJSON:
        raise
    except RecursionError:
        raise NotJSON("it contains itself, or is nested too deep") from None
    except UnicodeError:
        raise NotJSON("half a character (a lone surrogate) is in its text") from None
    except (TypeError, ValueError) as error:
        raise NotJSON(str(error)) from None


def _no_json(value: object) -> NoReturn:
    kind = type(value)
    raise NotJSON(f"JSON cannot have a {kind.__module__}.{kind.__qualname__} where this has one")


_encoder = msgspec.json.Encoder(enc_hook=_no_json)


def _custom(frame: Any, error: msgspec.ValidationError) -> Custom:
    """What no struct took: a type of the application's own, or a frame to refuse in words."""
    fields = frame if isinstance(frame, dict) else {}
    kind, ref = fields.get("type"), _ref(fields.get("ref"))
    if not isinstance(kind, str) or kind in _fields:
        what, path = _explain(error)
        raise BadMessage(ErrorCode.BAD_SHAPE, f"{what}. {_hint(kind)}", path=path, ref=ref)
    if not re.fullmatch(CUSTOM_TYPE, kind):
        detail = f"{kind[:40]!r} is no type: 1 to 32 of a-z 0-9 _ . - and a letter first."
        raise BadMessage(ErrorCode.UNKNOWN_TYPE, detail, path="$.type", ref=ref)
    if "ref" in fields and ref is UNSET:
        detail = "A `ref` is text of at most 64 characters or an integer below 2**53."
        raise BadMessage(ErrorCode.BAD_SHAPE, detail, path="$.ref")
    own = {key: value for key, value in fields.items() if key not in ("type", "ref")}
    return Custom(kind, own, ref)


def _hint(kind: object) -> str:
    if isinstance(kind, str):
        return f"The fields of `{kind}`: {', '.join(_fields[kind]) or 'none'}."
    return 'Send an object with a type, such as {"type": "message", "data": "hi"}.'


def _ref(value: object) -> Ref | UnsetType:
    try:
        return msgspec.convert(value, Ref)  # type: ignore[no-any-return]
    except msgspec.ValidationError:
        return UNSET


def _explain(error: Exception) -> tuple[str, str]:
    """What msgspec found and where: "Expected `str`, got `int` - at `$.to`"."""
    what, _, path = str(error).partition(" - at `")
    missing = re.search(r"missing required field `(\w+)`$", what)
    return what[:200], f"$.{missing[1]}" if missing else path.rstrip("`") or "$"


def _bad_json(frame: str | bytes, error: Exception) -> BadMessage:
    path, (what, _) = blame.unsendable(frame), _explain(error)
    detail = f"{what}. Send one JSON object."
    if path != blame.WHOLE:
        detail = f"`{path[:60]}` has a number out of range, or half a character (a lone surrogate)."
    return BadMessage(ErrorCode.BAD_JSON, detail, path=path)


def _too_deep(frame: str | bytes, ref: Ref | UnsetType) -> BadMessage:
    path, detail = blame.deepest(frame, MAX_DEPTH), f"At most {MAX_DEPTH} levels of [ ] and {{ }}."
    return BadMessage(ErrorCode.TOO_DEEP, detail, path=path, ref=ref)


def _depth(message: ClientMessage) -> int:
    depth, level = 0, list(msgspec.structs.astuple(message))
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        level = [x for node in level for x in (node.values() if isinstance(node, dict) else node)]
    return depth
