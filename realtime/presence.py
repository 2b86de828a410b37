"""Tells a room who comes and goes: at once when it is quiet, gathered in a storm.

Above the roster's limit names stop and only the count goes out. Who is there, and for how long,
is known to `roster.py`; this is when and how it is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from django.conf import settings

from realtime.messages import Count, Presence, encode
from realtime.roster import Diff, Member, Roster


class Clock(Protocol):
    """What a room needs of an event loop; a test's may stand still."""

    def time(self) -> float: ...
    def call_soon(self, callback: Callable[[], object]) -> Any: ...
    def call_at(self, when: float, callback: Callable[[], object]) -> Any: ...


class Announcer:
    """Of one room. `send` gets each encoded `presence`."""

    def __init__(self, roster: Roster, clock: Clock, send: Callable[[bytes], None]) -> None:
        self._roster = roster
        self._clock = clock
        self._send = send
        # What has not been told yet, when it will be, and when something last was.
        self._diffs: list[Diff] = []
        self._timer: Any = None
        self._told = float("-inf")
        # Whether names are shown, or so many are here that only their count is.
        self._is_shown = settings.REALTIME_ROSTER_LIMIT > 0

    def shown(self) -> list[Member]:
        """The members as a newcomer is shown them."""
        return self._roster.members() if self._is_shown else []

    def changed(self, diff: Diff) -> None:
        """Tell it at the end of this tick, or when the interval since the last is over."""
        if not diff:
            return
        self._diffs.append(diff)
        if self._timer is None:
            due = self._told + settings.REALTIME_PRESENCE_INTERVAL
            if due > self._clock.time():
                self._timer = self._clock.call_at(due, self._tell)
            else:
                self._timer = self._clock.call_soon(self._tell)

    def _tell(self) -> None:
        diffs, self._diffs, self._timer = self._diffs, [], None
        self._told = self._clock.time()
        diff = self._visible(Diff.of(diffs))
        presence = Presence(
            seq=self._roster.emitted(),
            count=Count(*self._roster.counts()),
            joins=diff.joins,  # type: ignore[arg-type]  # a Member has MemberInfo's fields
            updates=diff.updates,  # type: ignore[arg-type]
            leaves=diff.leaves,
        )
        self._send(encode(presence))

    def _visible(self, diff: Diff) -> Diff:
        """What of a diff is shown. At the limit all names go, or come, in one diff.

        They come back a tenth below it, so that one member cannot switch them to and fro.
        """
        limit: int = settings.REALTIME_ROSTER_LIMIT
        was_shown = self._is_shown
        self._is_shown = len(self._roster) <= (limit if was_shown else limit * 9 // 10)
        if was_shown and self._is_shown:
            return diff
        if was_shown:
            return Diff(leaves=[*diff.leaves, *(member.id for member in self._roster.members())])
        return Diff(joins=self.shown())
