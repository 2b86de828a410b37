"""A week of random use on a clock that the test moves: rooms that nobody uses go away."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from realtime.hub import SWEEP
from realtime.rooms import Full, Room
from realtime.roster import Departure
from tests.local import LocalHub, LocalSeat

WEEK = 7 * 24 * 3600.0  # seconds
HISTORY_AGE, GRACE = 3_600.0, 15.0
CAP = 12


@pytest.fixture(autouse=True)
def _small(settings: Any) -> None:
    settings.REALTIME_MAX_ROOMS = CAP
    settings.REALTIME_HISTORY_AGE = HISTORY_AGE
    settings.REALTIME_HISTORY_SIZE = 20
    settings.REALTIME_HEARTBEAT = 3_600.0  # a week of them would only take time


class Building:
    """People, and what they may do at any time."""

    def __init__(self) -> None:
        self.hub = LocalHub()
        self.inside: list[LocalSeat] = []
        self.refused = 0

    def come(self, room: int, member: int) -> None:
        try:
            self.inside.append(self.hub.seat(f"member-{member}", f"room-{room}"))
        except Full:
            self.refused += 1

    def publish(self, room: int, member: int) -> None:
        """From a sensor: a room with a message and nobody in it."""
        try:
            self.hub.room(f"room-{room}").publish({"value": member})
        except Full:
            self.refused += 1

    def go(self, room: int, member: int) -> None:
        if self.inside:
            seat = self.inside.pop((room * 7 + member) % len(self.inside))
            seat.goes(list(Departure)[member % len(Departure)])

    def check(self) -> None:
        assert len(self.hub.rooms) <= CAP
        assert {seat.room.name for seat in self.inside} <= self.hub.rooms.keys()
        for seat in self.inside:  # who is in a room is in the one that others find by its name
            assert self.hub.rooms[seat.room.name] is seat.room
        assert self.hub.connections == len(self.inside)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["come", "come", "go", "go", "publish"]),
        st.integers(0, 3 * CAP),
        st.integers(0, 9),
        # How long until the next: a moment, minutes, hours.
        st.sampled_from([0.0, 1.0, 10.0, 60.0, 1_000.0, 4_000.0, 20_000.0]),
    ),
    max_size=150,
)


@given(steps=STEPS)
@hypothesis_settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_after_a_week_of_anything_nothing_is_left(steps: list[tuple[str, int, int, float]]) -> None:
    building = Building()
    begin = building.hub.clock.now
    for action, room, member, pause in steps:
        if building.hub.clock.now - begin > WEEK:
            break
        getattr(building, action)(room, member)
        building.hub.clock.pass_(pause)
        building.check()
    while building.inside:
        building.go(0, 0)
    building.hub.clock.pass_(HISTORY_AGE + GRACE + 2 * SWEEP)
    assert building.hub.rooms == {}
    assert building.hub.connections == 0
    assert running(building.hub) == 0


def running(hub: LocalHub) -> int:
    """Timers that would still ring: a room that is gone must have none."""
    return sum(not timer.cancelled for _, _, timer in hub.clock._timers)


def test_a_room_goes_when_its_last_message_is_old() -> None:
    hub = LocalHub()
    hub.room("sensor").publish(1)
    hub.clock.pass_(HISTORY_AGE - SWEEP)
    assert "sensor" in hub.rooms
    hub.clock.pass_(2 * SWEEP)
    assert hub.rooms == {}


def test_names_made_up_for_a_day_leave_as_many_rooms_as_the_cap() -> None:
    """A script that publishes into a new room each minute: memory is bounded in rooms."""
    hub = LocalHub()
    for minute in range(24 * 60):
        hub.room(f"made up {minute}").publish("x")
        hub.clock.pass_(60)
        assert len(hub.rooms) <= CAP
    del minute
    gc.collect()
    alive = sum(type(each) is Room and each._hub is hub for each in gc.get_objects())
    assert alive == len(hub.rooms) == CAP


def test_rooms_that_people_are_in_are_never_taken_from_them() -> None:
    building = Building()
    for room in range(CAP):
        building.come(room, room)
    building.hub.clock.pass_(WEEK)
    building.check()
    building.come(CAP, 0)
    building.publish(CAP + 1, 0)
    assert building.refused == 2
    assert len(building.hub.rooms) == CAP
