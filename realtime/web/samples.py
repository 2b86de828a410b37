"""What the operator's plots show: a ring of samples, one every two seconds for ten minutes.

PURE: the clock and all numbers are arguments. Not here: where they come from (status.py).
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Any, NamedTuple

EVERY = 2.0  # seconds
KEPT = 300


class Sample(NamedTuple):
    """Seen at `at`, in monotonic seconds. Totals since the start: received to sent_bytes."""

    at: float
    connections: int
    members: int
    rooms: int
    received: int
    delivered: int
    sent_bytes: int
    lag: float  # seconds, the worst since the sample before
    memory: int | None  # bytes


class Samples:
    def __init__(self) -> None:
        self._ring: deque[Sample] = deque(maxlen=KEPT + 1)

    def add(self, sample: Sample) -> None:
        """A step back of the clock, or none, would make rates of nothing: it is left out."""
        if not self._ring or sample.at > self._ring[-1].at:
            self._ring.append(sample)

    def rates(self) -> dict[str, float] | None:
        """Per second, between the last two samples; None before there are two."""
        if len(self._ring) < 2:
            return None
        return _rates(self._ring[-2], self._ring[-1])

    def series(self) -> dict[str, list[Any]]:
        """Lists of equal length, oldest first; `ago` is seconds before the newest."""
        ring = list(self._ring)
        pairs = list(pairwise(ring))
        return {
            "ago": [round(ring[-1].at - new.at, 1) for _, new in pairs],
            "connections": [new.connections for _, new in pairs],
            "delivered": [_rates(old, new)["delivered"] for old, new in pairs],
            "lag": [round(new.lag, 4) for _, new in pairs],
            "memory": [new.memory for _, new in pairs],
        }


def _rates(old: Sample, new: Sample) -> dict[str, float]:
    seconds = new.at - old.at
    return {
        "received": round((new.received - old.received) / seconds, 1),
        "delivered": round((new.delivered - old.delivered) / seconds, 1),
        "sent_bytes": round((new.sent_bytes - old.sent_bytes) / seconds, 1),
    }
