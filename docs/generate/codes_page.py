"""Close codes and error codes, with what each means to a client."""

from __future__ import annotations

from docs.generate.tables import table
from realtime.codes import CloseCode, ErrorCode, is_final

CLOSES = {
    CloseCode.NORMAL: "The end, by either side; Channels' `close()` sends it too.",
    CloseCode.GOING_AWAY: "The page was left or reloaded.",
    CloseCode.TOO_BIG: "A message above `REALTIME_MAX_MESSAGE_SIZE`.",
    CloseCode.BUG: "A handler of the server failed; the reason has an id that is in its log.",
    CloseCode.RESTART: "The server stops or starts again.",
    CloseCode.PROTOCOL: "Twenty frames in a row that could not be used.",
    CloseCode.LOGIN: "Log in first.",
    CloseCode.FORBIDDEN: "This may not be joined: the Origin, the Host, or the room's own rule.",
    CloseCode.NOT_FOUND: "There is no WebSocket at this path.",
    CloseCode.REPLACED: "Another connection took this one's place.",
    CloseCode.FULL: "The room, or the server, is full.",
    CloseCode.SLOW: "It did not read as fast as it was written to.",
    CloseCode.RATE: "Twenty messages in a row above the rate.",
}

ERRORS = {
    ErrorCode.BAD_JSON: "No JSON, or a number or text that could not be sent on.",
    ErrorCode.BAD_SHAPE: "A field is missing, of another type, or too long; `path` names it.",
    ErrorCode.TOO_DEEP: "More than 32 levels of `[ ]` and `{ }`.",
    ErrorCode.UNKNOWN_TYPE: "No name of a type, or one that this room has no handler for.",
    ErrorCode.UNKNOWN_MEMBER: "`to` is nobody who is connected.",
    ErrorCode.BAD_NAME: "The name in the address cannot be used; another one was given.",
    ErrorCode.FORBIDDEN: "This member may not do this here.",
    ErrorCode.BINARY: "A binary frame: rooms take JSON in text frames.",
    ErrorCode.TOO_LARGE: "The state has more than `REALTIME_STATE_SIZE` bytes.",
    ErrorCode.RATE: "Above `REALTIME_RATE_LIMIT`: not taken; `detail` says how long to wait.",
    ErrorCode.BUG: "A handler of the server failed; the socket is closed with 1011 next.",
}


def closes() -> str:
    rows = [(str(int(code)), _again(code), CLOSES[code]) for code in CloseCode]
    return table(("code", "try again?", "what"), rows)


def errors() -> str:
    return table(("code", "what"), [(f"`{code}`", ERRORS[code]) for code in ErrorCode])


def _again(code: CloseCode) -> str:
    return "no" if is_final(code) else "yes"
