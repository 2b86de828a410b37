"""The screens that this server knows: boards on walls, by room and member id.

A member is a screen while its state in the roster has `"screen": true`, as every page of a board
says of itself. One that is expected is remembered when it is gone, and since when. Not here: what
a screen may be told (web/operate.py), how it obeys (screen.js).

PURE: the clock is an argument, monotonic seconds; `wall`, for what is kept over a restart, is Unix
time, and serves to say since when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from realtime.roster import Diff, Member

# Screens that may be expected: each is remembered until it is forgotten by hand.
MOST_EXPECTED = 200

VERSION = 1

Key = tuple[str, str]  # (room, member id)


class TooManyScreens(Exception):  # noqa: N818 (nobody's program is wrong)
    """No place for one more that is expected."""


@dataclass(slots=True)
class Screen:
    """`lost_at` is when it was last seen; None while it is here."""

    room: str
    member: str
    name: str
    is_expected: bool = False
    lost_at: float | None = None


class Screens:
    """Of all rooms. Those that are here are as many as their connections, and no more.

    `changed` is called when `dump()` may have something new to say.
    """

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self._screens: dict[Key, Screen] = {}
        self._changed = changed

    def __iter__(self) -> Iterator[Screen]:
        return iter(self._screens.values())

    def get(self, room: str, member: str) -> Screen | None:
        return self._screens.get((room, member))

    def follow(self, room: str, diff: Diff, *, now: float) -> None:
        """What has changed in a roster. Costs nothing to speak of for who is no screen."""
        for member in (*diff.joins, *diff.updates):
            if member.state.get("screen") is True:
                self._seen(room, member, now)
            else:
                self._gone((room, member.id), now)
        for member_id in diff.leaves:
            self._gone((room, member_id), now)

    def expect(self, room: str, member: str) -> Screen:
        """From now on it is missing when it is gone. Raises KeyError, TooManyScreens."""
        screen = self._screens[room, member]
        if not screen.is_expected and self._expected() >= MOST_EXPECTED:
            raise TooManyScreens(f"{MOST_EXPECTED} screens are expected already: forget some.")
        screen.is_expected = True
        self._changed()
        return screen

    def forget(self, room: str, member: str) -> bool:
        """It is not expected any more; whether it was."""
        screen = self._screens.get((room, member))
        if screen is None or not screen.is_expected:
            return False
        screen.is_expected = False
        if screen.lost_at is not None:
            del self._screens[room, member]
        self._changed()
        return True

    def dump(self, *, now: float, wall: float) -> dict[str, Any]:
        """The expected ones as plain JSON; `lost` is Unix time, null for who is here."""
        expected = [
            {
                "room": screen.room,
                "member": screen.member,
                "name": screen.name,
                "lost": None if screen.lost_at is None else round(wall - now + screen.lost_at),
            }
            for screen in self
            if screen.is_expected
        ]
        return {"version": VERSION, "expected": expected}

    def restore(self, snapshot: dict[str, Any], *, now: float, wall: float) -> None:
        """From `dump()`: all are missing until they come, who was here from now on.

        Raises ValueError, KeyError or TypeError, and then changes nothing.
        """
        if snapshot["version"] != VERSION:
            raise ValueError(f"screens of unknown version {snapshot['version']!r}")
        found = [_restored(each, now, wall) for each in snapshot["expected"]]
        for screen in found[:MOST_EXPECTED]:
            here = self._screens.setdefault((screen.room, screen.member), screen)
            here.is_expected = True
        self._changed()

    def _expected(self) -> int:
        return sum(screen.is_expected for screen in self)

    def _seen(self, room: str, member: Member, now: float) -> None:
        screen = self._screens.get((room, member.id))
        if screen is None:
            screen = self._screens[room, member.id] = Screen(room, member.id, member.name)
        before = screen.name, screen.lost_at
        screen.name = member.name
        if not member.away:
            screen.lost_at = None
        elif screen.lost_at is None:
            screen.lost_at = now
        if screen.is_expected and before != (screen.name, screen.lost_at):
            self._changed()

    def _gone(self, key: Key, now: float) -> None:
        screen = self._screens.get(key)
        if screen is None:
            return
        if not screen.is_expected:
            del self._screens[key]
        elif screen.lost_at is None:
            screen.lost_at = now
            self._changed()


def _restored(entry: dict[str, Any], now: float, wall: float) -> Screen:
    """A wall clock that was set back in between makes it lost now, not in the future."""
    room, member, name = (str(entry[key]) for key in ("room", "member", "name"))
    ago = 0.0 if entry["lost"] is None else max(0.0, wall - float(entry["lost"]))
    return Screen(room, member, name, is_expected=True, lost_at=now - ago)
