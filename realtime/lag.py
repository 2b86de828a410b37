"""How late the serving loop is: what makes it late makes every message late.

A timer that is to ring every quarter of a second measures when it does. Read it in the loop
itself; what a page or a scrape does with it stands elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realtime.presence import Clock

# Seconds between two looks, and for how long the worst is remembered.
INTERVAL = 0.25
MEMORY = 60.0


class Lag:
    """Of one loop, in its own seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest = 0.0
        # Each one that no later one exceeds, with its time: the first is the worst.
        self._peaks: deque[tuple[float, float]] = deque()
        self._due = 0.0
        self._arm()

    def latest(self) -> float:
        """Seconds by which the last look was late; of one that is overdue now, so far."""
        return max(self._latest, self._clock.time() - self._due)

    def worst(self, seconds: float = MEMORY) -> float:
        """Of the last minute, or of fewer `seconds`."""
        since = self._clock.time() - min(seconds, MEMORY)
        peak = next((late for at, late in self._peaks if at >= since), 0.0)
        return max(self.latest(), peak)

    def _arm(self) -> None:
        self._due = self._clock.time() + INTERVAL
        self._timer: Any = self._clock.call_at(self._due, self._look)

    def _look(self) -> None:
        now = self._clock.time()
        self._latest = late = max(0.0, now - self._due)
        while self._peaks and self._peaks[-1][1] <= late:
            self._peaks.pop()
        self._peaks.append((now, late))
        self._forget(now - MEMORY)
        self._arm()

    def _forget(self, before: float) -> None:
        while self._peaks and self._peaks[0][0] < before:
            self._peaks.popleft()


_watched: tuple[asyncio.AbstractEventLoop, Lag] | None = None


def watch_here() -> None:
    """From now on the running loop is measured, as long as it runs."""
    global _watched
    loop = asyncio.get_running_loop()
    _watched = loop, Lag(loop)


def latest() -> float:
    """Seconds, of the loop that serves; 0 where none does."""
    lag = _running()
    return lag.latest() if lag else 0.0


def worst(seconds: float = MEMORY) -> float:
    """Seconds, of the last minute or of fewer `seconds`; 0 where no loop serves."""
    lag = _running()
    return lag.worst(seconds) if lag else 0.0


def _running() -> Lag | None:
    return _watched[1] if _watched and not _watched[0].is_closed() else None
