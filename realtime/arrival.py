"""PURE. What the address of a socket asks for: `?name=Ada&history=20`.

Nothing in it can keep anybody out: what cannot be used is left out, and the words that say so are
kept for the browser, which would see nothing of a refused handshake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from realtime.codes import ErrorCode
from realtime.messages import Error
from realtime.names import NameRefused, member_name


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a connection asks for when it comes."""

    name: str | None = None
    # Who it says it is; something that the others cannot know, such as a UUID.
    client: str | None = None
    # How many recent messages it wants: none, unless it comes back and has missed too many.
    recent: int | None = None
    # The epoch and offset up to which it has everything.
    resume: tuple[str, int] | None = None
    # What of the address cannot be used.
    problems: list[Error] = field(default_factory=list)

    @classmethod
    def of(cls, query_string: bytes) -> Arrival:
        """Never raises. Of a field that stands twice the last counts; others are ignored."""
        # Bytes that are not UTF-8 become halves of characters, which no name can have.
        fields = dict(
            parse_qsl(
                query_string.decode(errors="surrogateescape"),
                keep_blank_values=True,
                errors="surrogateescape",
            )
        )
        problems: list[Error] = []
        return cls(
            name=_name(fields.get("name"), problems),
            client=fields.get("client") or None,
            recent=_number("history", fields.get("history"), problems),
            resume=_resume(fields, problems),
            problems=problems,
        )


def _name(text: str | None, problems: list[Error]) -> str | None:
    try:
        return member_name(text) if text else None
    except NameRefused as refused:
        problems.append(Error(code=ErrorCode.BAD_NAME, detail=str(refused), path="name"))
        return None


def _resume(fields: dict[str, str], problems: list[Error]) -> tuple[str, int] | None:
    offset = _number("offset", fields.get("offset"), problems)
    if offset is not None:
        return fields.get("epoch", ""), offset
    if "epoch" in fields and "offset" not in fields:
        problems.append(
            _unusable("offset", "`epoch` in the address says nothing without `offset`.")
        )
    return None


def _number(field: str, text: str | None, problems: list[Error]) -> int | None:
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    wanted = f"`{field}` in the address must be a whole number, not {text[:20]!r}."
    problems.append(_unusable(field, wanted))
    return None


def _unusable(field: str, detail: str) -> Error:
    return Error(code=ErrorCode.BAD_SHAPE, detail=detail, path=field)
