"""JSON to the wire's types and back: `decode` what they send, `encode` the rest.

Not here: the types (messages), which field holds what no JSON can (blame).

Rule 1: whatever a peer sends, `decode` raises `BadMessage` or nothing. Rule 2: what it returns can
be encoded again. Whole numbers come through exactly, up to Python's 4,300 digits; of a key that
stands twice the last counts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

from realtime import blame
from realtime.codes import ErrorCode
from realtime.messages import CUSTOM_TYPE, BuiltIn, ClientMessage, Custom, Error, Ref

# Containers one inside the other in `data`, `state` or own fields. Real frames have 3 to 6, and
# whatever walks them later (merge patch, a browser) is safe at 32.
MAX_DEPTH = 32


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
