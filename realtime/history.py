"""What a room has said: a ring of encoded messages that a client can resume from.

Here: offsets, epoch, bounds, what was missed, and which `ref` of whom is already in. Not here: the
encoding (a callback: a message's text contains its offset), the wire, volatile publishes (they are
never stored and take no offset). Semantics are Centrifugo's (history and recovery): a resume gets
all it missed or is told that it cannot, never a part. The clock is an argument, monotonic seconds.
"""

import secrets
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple, Self

Key = tuple[str, str | int]  # (member, ref)
Source = tuple[str, bool]  # the connection that a message came by, and whether that had resumed

# Half of the default outbox (1 MiB): 100 messages of 64 KiB would overflow it, so that a client who
# resumes is closed as slow, resumes, and so on for ever.
MAX_BYTES = 512 * 1024

# What Python keeps beside a message's text, in bytes: its entry, offset, time, key and source.
# Measured with tracemalloc, CPython 3.11 (tests/test_history.py).
ENTRY_BYTES = 500


class Entry(NamedTuple):
    offset: int
    at: float
    text: bytes
    key: Key | None
    source: Source | None = None


class Recovery(NamedTuple):
    """`recovered`: these are all that was missed. Else there is a gap, and these are the recent."""

    recovered: bool
    entries: list[Entry]


class Kept(NamedTuple):
    """What a snapshot keeps of a room: the newest of `entries`, if there are any, has `offset`."""

    epoch: str
    offset: int
    entries: tuple[Entry, ...]


class History:
    """One room's ring: at most `size` messages, `max_bytes` of text, none older than `age` seconds.

    The epoch is new for every History, not for every process: a room dropped and made again counts
    from 1, and a client of the first must not take the offsets of the second for its own.
    """

    def __init__(
        self, *, size: int, age: float, max_bytes: int = MAX_BYTES, epoch: str | None = None
    ) -> None:
        self.size, self.age, self.max_bytes = size, age, max_bytes
        self.epoch = epoch or secrets.token_urlsafe(9)
        self.offset = 0  # of the newest message ever, held or not; 0 = nothing yet
        self._ring: deque[Entry] = deque()
        self._bytes = 0
        self._keyed: dict[Key, list[Entry]] = {}

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def held_bytes(self) -> int:
        """Bytes of the messages that it holds."""
        return self._bytes

    @property
    def weight(self) -> int:
        """Bytes of memory that it takes, about."""
        return self._bytes + ENTRY_BYTES * len(self._ring)

    def append(
        self,
        encode: Callable[[int], bytes],
        *,
        now: float,
        key: Key | None = None,
        source: Source | None = None,
    ) -> Entry:
        """Store `encode(offset)`, called once. If it raises, no offset was taken: no holes."""
        entry = Entry(self.offset + 1, now, encode(self.offset + 1), key, source)
        self.offset = entry.offset
        self._hold(entry)
        self.expire(now)
        return entry

    def resume(self, epoch: str, offset: int, *, now: float, recent: int | None = None) -> Recovery:
        """What came after `offset`; after a gap the `recent` newest (default: all that is held)."""
        self.expire(now)
        before_oldest = self.offset - len(self._ring)
        if epoch == self.epoch and before_oldest <= offset <= self.offset:
            return Recovery(True, self._newest(self.offset - offset))
        return Recovery(False, self._newest(self.size if recent is None else recent))

    def recent(self, count: int, *, now: float) -> list[Entry]:
        """The newest in order of offset; `recent(1)` is the latest value."""
        self.expire(now)
        return self._newest(count)

    def find(self, member: str, ref: str | int) -> list[Entry]:
        """This member's messages with this `ref` that the ring holds; two tabs may use the same."""
        return self._keyed.get((member, ref), [])

    def expire(self, now: float) -> None:
        """Let go of what is too much or too old. Idle rooms need it called, the others do not."""
        while self._ring and self._is_surplus(self._ring[0], now):
            self._drop(self._ring.popleft())

    def shrink(self, weight: int) -> None:
        """Let go of the oldest until it has at most that weight."""
        while self.weight > weight:
            self._drop(self._ring.popleft())

    def kept(self, now: float) -> Kept:
        """All that a snapshot needs, at the cost of a shallow copy."""
        self.expire(now)
        return Kept(self.epoch, self.offset, tuple(self._ring))

    @classmethod
    def restore(
        cls,
        kept: Kept,
        *,
        size: int,
        age: float,
        max_bytes: int = MAX_BYTES,
        now: float,
    ) -> Self:
        """A history from `kept`, under today's bounds; its entries' `at` is by the clock of `now`.

        Only for what was the last word: had messages followed it, their offsets would be given
        out twice under one epoch. For anything older, give `kept` the epoch "": a new one is made.
        """
        history = cls(size=size, age=age, max_bytes=max_bytes, epoch=kept.epoch)
        history.offset = kept.offset
        for entry in kept.entries:
            history._hold(entry)
        history.expire(now)
        return history

    def _hold(self, entry: Entry) -> None:
        self._ring.append(entry)
        self._bytes += len(entry.text)
        if entry.key:
            self._keyed.setdefault(entry.key, []).append(entry)

    def _drop(self, entry: Entry) -> None:
        self._bytes -= len(entry.text)
        if entry.key:
            self._keyed[entry.key].remove(entry)
            if not self._keyed[entry.key]:
                del self._keyed[entry.key]

    def _is_surplus(self, oldest: Entry, now: float) -> bool:
        too_much = len(self._ring) > self.size or self._bytes > self.max_bytes
        return too_much or now - oldest.at >= self.age

    def _newest(self, count: int) -> list[Entry]:
        return list(islice(self._ring, max(0, len(self._ring) - count), None))
