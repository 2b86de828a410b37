"""Who is in one room: join, leave, update, rename, expire; each returns the diff for the others.

A member is a person or device with any number of connections (tabs). Others see one join at the
first, and one leave after the last and the grace that its cause gives, so that a reload shows
nothing. `Member` is what is shown: who applies every diff has what `members()` has, and `counts()`
changes with a diff or not at all.

PURE: no I/O, no clock; `now` is monotonic seconds and never runs back. Does not live here: sending,
and when (rooms.py), who a connection belongs to (consumers.py), what a name may be (names.py).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

import msgspec

from realtime.names import Names, friendly_name


class StateRefused(ValueError):  # noqa: N818 (as messages.BadMessage)
    """The peer's fault: a patch that would make the state too big."""


class Departure(Enum):
    """What ended a connection; it decides the grace that the member has after the last one."""

    LEAVE = auto()  # for good: a leave frame, close 1000, a final close of ours. No grace.
    RELOAD = auto()  # close 1001: back in a moment, so nothing is shown meanwhile
    LOST = auto()  # anything abrupt: shown as away

    @classmethod
    def of(cls, code: int | None) -> Departure:
        """By close code. 1005 is abrupt: uvicorn reports a lost TCP connection with it."""
        if code == 1000 or (code is not None and 4400 <= code < 4500):
            return cls.LEAVE
        return cls.RELOAD if code == 1001 else cls.LOST


@dataclass(frozen=True, slots=True)
class Member:
    """What others are shown of a member: a snapshot, never changed, nor is its `state`.

    `connections` is 0 exactly when `away`; in the grace of a reload it is still the 1 that reloads.
    """

    id: str
    name: str
    state: dict[str, Any]
    connections: int = 1
    away: bool = False


@dataclass(frozen=True, slots=True)
class Diff:
    """What has changed; falsy when nothing has. An id stands in one of the lists only.

    To apply it to a view: set each join and update by its id, drop each leave, known or not.
    """

    joins: list[Member] = field(default_factory=list)
    updates: list[Member] = field(default_factory=list)
    leaves: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.joins or self.updates or self.leaves)

    @classmethod
    def of(cls, diffs: Iterable[Diff]) -> Diff:
        """The one diff that equals all these in order: the last word on each id, in linear time.

        Who was not there before stays a join. A join that left again is a leave and not nothing: a
        newcomer's snapshot may have been taken in between, and would keep the ghost.
        """
        last: dict[str, Member | None] = {}
        new: set[str] = set()
        for diff in diffs:
            new.update(member.id for member in diff.joins if member.id not in last)
            last.update((member.id, member) for member in (*diff.joins, *diff.updates))
            last.update(dict.fromkeys(diff.leaves))
        present = [member for member in last.values() if member]
        return cls(
            joins=[member for member in present if member.id in new],
            updates=[member for member in present if member.id not in new],
            leaves=[member_id for member_id, member in last.items() if not member],
        )

    def then(self, later: Diff) -> Diff:
        return Diff.of((self, later))


class Roster:
    """The members of one room, from the first connection to the end of the grace after the last.

    `grace` and `grace_reload` are seconds, `state_size` bytes of JSON. What a method costs does not
    depend on how many members there are, but for `members()`.
    """

    def __init__(self, *, grace: float, grace_reload: float, state_size: int) -> None:
        self.seq = 0
        self._graces = {Departure.LOST: grace, Departure.RELOAD: grace_reload}
        self._state_size = state_size
        self._members: dict[str, Member] = {}
        self._names = Names()
        # What each member asked to be called, before a number was added.
        self._wanted: dict[str, str] = {}
        # Member id of each connection that is up.
        self._owners: dict[Hashable, str] = {}
        # Sum of what the members show, kept so that counts() need not add up.
        self._connections = 0
        # When each member's grace ends. All in a queue have the same grace, so it is in order as it
        # stands, and who comes back is taken out of the middle at no cost.
        self._queues: dict[Departure, OrderedDict[str, float]] = {
            departure: OrderedDict() for departure in self._graces
        }

    # Who is here.

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, member_id: object) -> bool:
        return member_id in self._members

    def get(self, member_id: str) -> Member | None:
        return self._members.get(member_id)

    def members(self) -> list[Member]:
        return list(self._members.values())

    def counts(self) -> tuple[int, int]:
        """Members and connections, as shown: the sums over `members()`."""
        return len(self._members), self._connections

    # What changes it.

    def join(self, member_id: str, connection: Hashable, *, name: str | None = None) -> Diff:
        """A connection is up. A new name is taken over; without one a member keeps what it has.

        The name must have passed `member_name`; if another member has it, a number is added.
        """
        if connection in self._owners:
            raise RuntimeError(f"connection {connection!r} has joined already")
        self._owners[connection] = member_id
        member = self._members.get(member_id)
        if member is None:
            wanted = self._wanted[member_id] = name or friendly_name(member_id)
            return self._show(Member(member_id, self._names.claim(wanted), {}))
        connections = 1 if self._end_grace(member_id) else member.connections + 1
        back = replace(member, connections=connections, away=False)
        # The same name as before is not asked for again: a reconnect must not rename "Ada 2".
        if name and name != self._wanted[member_id]:
            back = replace(back, name=self._new_name(member, name))
        return self._show(back)

    def leave(self, connection: Hashable, departure: Departure, *, now: float) -> Diff:
        """A connection is gone. Empty when it is unknown: cleaning up twice is right."""
        member_id = self._owners.pop(connection, None)
        if member_id is None:
            return Diff()
        member = self._members[member_id]
        if member.connections > 1:
            return self._show(replace(member, connections=member.connections - 1))
        grace = self._graces.get(departure, 0)
        if grace <= 0:
            return self._drop(member_id)
        self._queues[departure][member_id] = now + grace
        if departure is Departure.RELOAD:
            return Diff()
        return self._show(replace(member, connections=0, away=True))

    def update(self, member_id: str, patch: dict[str, Any]) -> Diff:
        """Merge a patch (RFC 7396) into the state; StateRefused leaves it as it was."""
        member = self._members[member_id]
        encoded = msgspec.json.encode(merge_patch(member.state, patch))
        if len(encoded) > self._state_size:
            raise StateRefused(f"state of {len(encoded)} bytes, the limit is {self._state_size}")
        # Compared as JSON, as Python holds 1, 1.0 and True for equal.
        if encoded == msgspec.json.encode(member.state):
            return Diff()
        # Decoded again, so that nobody else holds a part of it.
        return self._show(replace(member, state=msgspec.json.decode(encoded)))

    def rename(self, member_id: str, name: str) -> Diff:
        """As the name of a join, but asked for again even when it is the same."""
        member = self._members[member_id]
        return self._show(replace(member, name=self._new_name(member, name)))

    def expire(self, *, now: float) -> Diff:
        """Let those go whose grace is over."""
        diffs = []
        for queue in self._queues.values():
            while queue and next(iter(queue.values())) <= now:
                diffs.append(self._drop(queue.popitem(last=False)[0]))
        return Diff.of(diffs)

    # When it is told.

    def deadline(self) -> float | None:
        """When `expire` has something to do next; None while nobody is in a grace."""
        fronts = [next(iter(queue.values())) for queue in self._queues.values() if queue]
        return min(fronts, default=None)

    def emitted(self) -> int:
        """The number of the diff that goes out now.

        A room collects diffs, and when its interval is over sends `Diff.of(them)`, if not empty,
        under this number. A newcomer gets `members()` and `seq` in one step: the next diff it sees
        is seq + 1, and may repeat what the snapshot had, which changes nothing.
        """
        self.seq += 1
        return self.seq

    def _show(self, member: Member) -> Diff:
        """Put the member in the place of what was shown of it before."""
        shown = self._members.get(member.id)
        if shown and shown == member and shown.state is member.state:
            return Diff()
        self._members[member.id] = member
        self._connections += member.connections - (shown.connections if shown else 0)
        return Diff(updates=[member]) if shown else Diff(joins=[member])

    def _drop(self, member_id: str) -> Diff:
        member = self._members.pop(member_id)
        self._connections -= member.connections
        self._names.release(member.name)
        del self._wanted[member_id]
        return Diff(leaves=[member_id])

    def _new_name(self, member: Member, wanted: str) -> str:
        self._wanted[member.id] = wanted
        self._names.release(member.name)
        return self._names.claim(wanted)

    def _end_grace(self, member_id: str) -> bool:
        ends = [queue.pop(member_id, None) for queue in self._queues.values()]
        return any(end is not None for end in ends)


def merge_patch(target: Any, patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396, section 2, for a patch that is an object. Neither argument is changed."""
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value) if isinstance(value, dict) else value
    return merged
