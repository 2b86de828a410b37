"""PURE. Which field of a frame is at fault, where the decoder says only that something is.

Looked for once a frame has been refused: a good one never comes here. Fields are those of the
object itself; what lies deeper is told by the name of the field that it lies in.
"""

from __future__ import annotations

import json
import re

import msgspec

# What stands where a frame has no field that could be named.
WHOLE = "$"

# Python's own end for a whole number.
MOST_DIGITS = 4_300

# A text (with a colon, a key) or a bracket: all that tells how deep a place is.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"\s*:?|[\[\]{}]', re.DOTALL)


def unsendable(frame: str | bytes) -> str:
    """Where the number or text is that JSON's grammar allows and nobody could be sent."""
    try:
        # Python's own reader takes more than ours, numbers that are none and half a character too.
        fields = json.loads(frame, parse_int=_whole)
        for key, value in fields.items() if isinstance(fields, dict) else ():
            if not _can_be_sent(value):
                return _path(key)
    except (ValueError, RecursionError):
        pass
    return WHOLE


def deepest(frame: str | bytes, limit: int) -> str:
    """The first field in which there are more than `limit` levels, the frame being the first."""
    text = frame if isinstance(frame, str) else frame.decode(errors="replace")
    depth, field = 0, WHOLE
    for token in _TOKEN.finditer(text):
        match token[0][-1]:
            case "[" | "{":
                depth += 1
                if depth > limit:
                    return field
            case "]" | "}":
                depth -= 1
            case ":" if depth == 1:
                field = _path(json.loads(token[0][:-1]))
    return WHOLE


def _path(key: str) -> str:
    return f"{WHOLE}.{key[:40]}" if _can_be_sent(key) else WHOLE


def _can_be_sent(value: object) -> bool:
    try:
        msgspec.json.decode(json.dumps(value))
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True


def _whole(digits: str) -> float:
    """Any number for one that can be sent: only whether it can is asked here."""
    return float("inf") if len(digits.lstrip("-")) > MOST_DIGITS else 0
