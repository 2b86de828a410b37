"""A clock that moves only when a test says so: no sleep, and no test that a busy machine breaks."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count


@dataclass
class Timer:
    callback: Callable[[], object]
    at: float
    cancelled: bool = False

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.cancelled = True


class StandingClock:
    """A loop's clock and calls, which move only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._soon: list[Timer] = []
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = count()

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], object]) -> Timer:
        self._soon.append(Timer(callback, self.now))
        return self._soon[-1]

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        timer = Timer(callback, when)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def tick(self) -> None:
        """All that was to be called soon, and what that called."""
        while self._soon:
            soon, self._soon = self._soon, []
            for timer in soon:
                if not timer.cancelled:
                    timer.callback()

    def pass_(self, seconds: float) -> None:
        """Time passes; every timer finds the moment it is due at."""
        self.tick()
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            self.now = max(self.now, self._timers[0][0])
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                timer.callback()
            self.tick()
        self.now = end
