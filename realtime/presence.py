"""Tells a room who comes and goes: at once when it is quiet, gathered in a storm.

Above the roster's limit names stop and only the count goes out. Who is there, and for how long,
is known to `roster.py`; this is when and how it is said.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from django.conf import settings

from realtime.codec import encode
from realtime.messages import Count, Presence
from realtime.roster import Diff, Member, Roster

# Seconds between two counts, for each member, where names are not shown: telling them all costs
# some µs each, and in a room of thousands would take the loop for itself.
COUNT_EACH = 0.0002


class Clock(Protocol):
    """What a room needs of an event loop; a test's may stand still.

    What it returns can be cancelled and no more: for a moment that is now or over, uvloop's
    `call_at()` gives a plain handle, without `when()`.
    """

    def time(self) -> float: ...
    def call_soon(self, callback: Callable[[], object]) -> Any: ...
    def call_at(self, when: float, callback: Callable[[], object]) -> Any: ...


class Announcer:
    """Of one room. `send` gets each encoded `presence`."""

    def __init__(self, roster: Roster, clock: Clock, send: Callable[[bytes], object]) -> None:
        self._roster = roster
        self._clock = clock
        self._send = send
        # What has not been told yet, when it will be, and when something last was.
        self._diffs: list[Diff] = []
        self._timer: Any = None
        self._told_at = float("-inf")
        self._told_count = Count(0, 0)
        # Whether names are shown, or so many are here that only their count is; and what it was to
        # those who have not been told anything since.
        self._shows_names = settings.REALTIME_ROSTER_LIMIT > 0
        self._seen = {self._shows_names}

    def shown(self) -> list[Member]:
        """The members as a newcomer is shown them: never more than the limit."""
        self._look()
        self._seen.add(self._shows_names)
        return self._roster.members() if self._shows_names else []

    def changed(self, diff: Diff) -> None:
        """Tell it at the end of this tick, or when the interval since the last is over."""
        if not diff:
            return
        self._diffs.append(diff)
        if self._timer is None:
            due = self._told_at + self._interval()
            if due > self._clock.time():
                self._timer = self._clock.call_at(due, self._tell)
            else:
                self._timer = self._clock.call_soon(self._tell)

    def end(self) -> None:
        """Tell now what has not been told: who watches from outside hears of the last that left."""
        if self._timer is not None:
            self._timer.cancel()
            self._tell()

    def _tell(self) -> None:
        diffs, self._diffs, self._timer = self._diffs, [], None
        diff, count = self._visible(Diff.of(diffs)), Count(*self._roster.counts())
        if not diff and count == self._told_count:
            return
        self._told_at, self._told_count = self._clock.time(), count
        presence = Presence(
            seq=self._roster.emitted(),
            count=count,
            joins=diff.joins,  # type: ignore[arg-type]  # a Member has MemberInfo's fields
            updates=diff.updates,  # type: ignore[arg-type]
            leaves=diff.leaves,
        )
        self._send(encode(presence))

    def _interval(self) -> float:
        interval: float = settings.REALTIME_PRESENCE_INTERVAL
        return interval if self._shows_names else max(interval, len(self._roster) * COUNT_EACH)

    def _visible(self, diff: Diff) -> Diff:
        """What of a diff is shown. At the limit all names go, or come, in one diff."""
        self._look()
        seen, self._seen = self._seen, {self._shows_names}
        if seen == self._seen:
            return diff if self._shows_names else Diff()
        everybody = self._roster.members()
        if self._shows_names:
            return Diff(joins=everybody, leaves=diff.leaves)
        return Diff(leaves=[*diff.leaves, *(member.id for member in everybody)])

    def _look(self) -> None:
        """Names come back a tenth below the limit: one member cannot switch them to and fro."""
        limit: int = settings.REALTIME_ROSTER_LIMIT
        most = limit if self._shows_names else limit * 9 // 10
        self._shows_names = limit > 0 and len(self._roster) <= most
