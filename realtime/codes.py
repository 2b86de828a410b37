"""Why a socket ended, and why a frame was refused: numbers and words of the wire."""

from enum import IntEnum, StrEnum


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
