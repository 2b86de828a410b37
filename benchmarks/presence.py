"""What presence costs: `python -m benchmarks.presence` writes it into RESULTS.md.

Rooms and rosters as they are, in this process, without sockets: what is measured is the work of a
join, a leave and a change of state, and the bytes that they send. A tick of the loop is a call of
`Clock.tick()`, so that "in one burst" and "ten a tick" mean the same on every machine.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
os.environ.setdefault("REALTIME_MAX_MEMBERS", "10000")
django.setup()

from benchmarks import sections  # noqa: E402
from realtime.arrival import Arrival  # noqa: E402
from realtime.codec import encode  # noqa: E402
from realtime.hub import Hub  # noqa: E402
from realtime.rooms import Room  # noqa: E402
from realtime.roster import Departure  # noqa: E402


class Timer:
    def __init__(self, at: float, callback: Callable[[], object]) -> None:
        self.at, self.callback, self.is_cancelled = at, callback, False

    def when(self) -> float:
        return self.at

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """Moves when told to."""

    def __init__(self) -> None:
        self.now, self._timers, self._numbers = 0.0, list[tuple[float, int, Timer]](), count()

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[[], object]) -> Timer:
        return self.call_at(self.now, callback)

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        timer = Timer(when, callback)
        heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        while self._timers and self._timers[0][0] <= self.now:
            timer = heappop(self._timers)[2]
            if not timer.is_cancelled:
                timer.callback()


class Wire(Hub):
    """Counts what would go out instead of sending it."""

    clock: Clock

    def __init__(self) -> None:
        super().__init__(Clock())
        self.bytes = self.frames = 0
        self._listening: set[str] = set()

    def subscribe(self, group: str, channel: str) -> None:
        self._listening.add(channel)

    def broadcast(self, group: str, text: str, exclude: str | None) -> None:
        self.frames += 1
        seats = (channel for room in self.rooms.values() for channel in room.seats)
        self.bytes += len(text) * sum(channel in self._listening for channel in seats)


class Seat:
    """A connection whose frames are counted."""

    def __init__(self, wire: Wire, number: int) -> None:
        self.wire, self.member_id, self.channel_name = wire, f"member{number}", f"channel{number}"

    def tell(self, message: Any) -> None:
        self.wire.bytes += len(encode(message))

    def dismiss(self, code: int, reason: str) -> None: ...


def enter(wire: Wire, members: int, a_tick: int) -> tuple[Room, list[Seat]]:
    room, seats = wire.room("bench"), [Seat(wire, number) for number in range(members)]
    for number, seat in enumerate(seats, 1):
        room.enter(seat, Arrival(name="Ada"))
        if number % a_tick == 0:
            wire.clock.tick(0.001)
    wire.clock.tick(1)
    return room, seats


def figures() -> Iterator[tuple[str, float, float, int]]:
    """What, CPU in µs each, bytes each, presence frames."""
    for members in (100, 1_000):
        for a_tick in (members, 10):
            wire, begin = Wire(), time.process_time()
            enter(wire, members, a_tick)
            cpu = (time.process_time() - begin) / members * 1e6
            name = f"{members:,} join, {'in one burst' if a_tick == members else 'ten a tick'}"
            yield name, cpu, wire.bytes / members, wire.frames
        wire = Wire()
        room, seats = enter(wire, members, members)
        wire.bytes, wire.frames, begin = 0, 0, time.process_time()
        for seat in seats:
            room.leave(seat, Departure.LOST)
        wire.clock.tick(0.1)
        wire.clock.tick(60)
        cpu = (time.process_time() - begin) / members * 1e6
        yield f"{members:,} lose the network at once", cpu, wire.bytes / members, wire.frames
    yield states(members=100, a_second=10)


def states(*, members: int, a_second: int) -> tuple[str, float, float, int]:
    wire = Wire()
    room, seats = enter(wire, members, members)
    wire.bytes, wire.frames, begin = 0, 0, time.process_time()
    for number in range(a_second):
        for seat in seats:
            room.update(seat, {"x": number})
        wire.clock.tick(1 / a_second)
    changes = members * a_second
    cpu = (time.process_time() - begin) / changes * 1e6
    return f"{members} change state {a_second} × in 1 s", cpu, wire.bytes / changes, wire.frames


READING = """\
`python -m benchmarks.presence`: rooms and rosters as they are, in one process, without sockets.
What is measured is the work of a join, a leave and a change of state, and the bytes that all
together are sent for each: a welcome has the roster in it, which is all that grows with the
members; above REALTIME_ROSTER_LIMIT (200) it has none. Those who lose the network all at once
leave nobody who could be told."""


def section() -> str:
    """Markdown."""
    head = "| what | µs of CPU each | bytes sent for each | presence frames |\n|---|---:|---:|---:|"
    rows = [
        f"| {what} | {cpu:.1f} | {sent:,.0f} | {frames} |" for what, cpu, sent, frames in figures()
    ]
    return "\n".join(["## Presence", "", READING, "", head, *rows])


def main() -> None:
    text = section()
    sys.stdout.write(f"{text}\n")
    results = Path(__file__).parent / "RESULTS.md"
    results.write_text(sections.put(results.read_text(), "presence", text))


if __name__ == "__main__":
    main()
