"""How late the loop is, by a clock that the test moves and by a loop that is held up."""

from __future__ import annotations

import asyncio
import time

from realtime import lag
from realtime.hub import serve_here
from realtime.lag import INTERVAL, MEMORY, Lag
from tests.local import StandingClock
from tests.peers import until


def late(clock: StandingClock, seconds: float) -> None:
    """The loop is held up: the next timer rings so much too late."""
    clock.pass_(INTERVAL - 0.001)
    clock.now += seconds + 0.001
    clock.pass_(0)


def test_a_loop_in_time_has_no_lag() -> None:
    clock = StandingClock()
    lag = Lag(clock)
    clock.pass_(10)
    assert (lag.latest(), lag.worst()) == (0, 0)


def test_the_latest_is_of_the_last_look_and_the_worst_of_the_last_minute() -> None:
    clock = StandingClock()
    lag = Lag(clock)
    late(clock, 0.5)
    assert abs(lag.latest() - 0.5) < 1e-6
    clock.pass_(INTERVAL)
    assert lag.latest() == 0
    assert abs(lag.worst() - 0.5) < 1e-6
    clock.pass_(MEMORY + 1)
    assert lag.worst() == 0


def test_the_worst_falls_back_to_the_next_worst() -> None:
    clock = StandingClock()
    lag = Lag(clock)
    for seconds in (0.75, 0.25, 0.5):
        late(clock, seconds)
        clock.pass_(20)
    assert abs(lag.worst() - 0.5) < 1e-6  # the first is more than a minute ago
    clock.pass_(45)
    assert lag.worst() == 0


def test_a_look_that_is_overdue_counts_before_it_happens() -> None:
    clock = StandingClock()
    lag = Lag(clock)
    clock.now += INTERVAL + 3
    assert (lag.latest(), lag.worst()) == (3, 3)


def test_months_of_looks_are_not_kept() -> None:
    clock = StandingClock()
    lag = Lag(clock)
    for step in range(5_000):
        late(clock, 1 / (step + 1))  # falling, so that each could still become the worst
    assert len(lag._peaks) <= MEMORY / INTERVAL + 1


async def test_a_loop_that_is_held_up_says_so() -> None:
    serve_here()
    assert lag.worst() < 0.3
    time.sleep(INTERVAL + 0.4)  # noqa: ASYNC251 (the fault itself)
    assert lag.latest() >= 0.35
    await until(lambda: lag.latest() < 0.3)
    assert lag.worst() >= 0.35


def test_a_loop_that_has_ended_is_late_no_more() -> None:
    async def be_late() -> float:
        serve_here()
        time.sleep(INTERVAL + 0.1)  # noqa: ASYNC251
        return lag.worst()

    assert asyncio.run(be_late()) > 0
    assert (lag.latest(), lag.worst()) == (0, 0)
