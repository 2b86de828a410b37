"""When a room is told who comes and goes, and when only how many; the clock stands still."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from realtime.codec import encode
from realtime.presence import COUNT_EACH
from realtime.roster import Departure
from tests.local import LocalHub, LocalSeat

INTERVAL = 0.05


@pytest.fixture
def hub() -> LocalHub:
    """With Ada in the kitchen, who has heard of it, and the storm of that is over."""
    hub = LocalHub()
    hub.seat("ada", name="Ada")
    hub.clock.pass_(1)
    hub.broadcasts.clear()
    return hub


def ada(hub: LocalHub) -> LocalSeat:
    return next(seat for seat in hub.seats.values() if seat.member_id == "ada")


def crowd(hub: LocalHub, number: int, *, start: int = 0) -> list[LocalSeat]:
    seats = [hub.seat(f"m{start + n}") for n in range(number)]
    hub.clock.pass_(1)
    return seats


def test_in_quiet_a_join_is_told_at_the_end_of_the_tick(hub: LocalHub) -> None:
    hub.seat("bob", name="Bob")
    assert hub.broadcasts == []
    hub.clock.tick()
    (presence,) = hub.of_type("presence")
    assert [member["name"] for member in presence["joins"]] == ["Bob"]
    assert presence["count"] == {"members": 2, "connections": 2}


def test_in_a_storm_there_is_one_presence_an_interval(hub: LocalHub) -> None:
    for n in range(100):
        hub.seat(f"m{n}")
        hub.clock.pass_(INTERVAL / 10)
    assert 10 <= len(hub.of_type("presence")) <= 11
    assert len(ada(hub).view.members) == 101


def test_after_a_storm_it_is_at_once_again(hub: LocalHub) -> None:
    hub.seat("bob")
    hub.clock.tick()
    hub.clock.pass_(INTERVAL)
    hub.seat("cleo")
    hub.clock.tick()
    assert len(hub.of_type("presence")) == 2


def test_seq_rises_by_one(hub: LocalHub) -> None:
    before = ada(hub).view.seq
    for n in range(5):
        hub.seat(f"m{n}")
        hub.clock.pass_(1)
    assert [p["seq"] for p in hub.of_type("presence")] == [before + n for n in range(1, 6)]


def test_who_comes_and_goes_within_an_interval_leaves_no_ghost_with_who_came_between(
    hub: LocalHub,
) -> None:
    hub.seat("bob")
    hub.clock.tick()  # from here on an interval is gathered
    short = hub.seat("short")
    hub.clock.tick()
    between = hub.seat("between")
    hub.clock.tick()
    assert "short" in between.view.members
    short.goes(Departure.LEAVE)
    hub.clock.pass_(1)
    assert set(between.view.members) == {"ada", "bob", "between"} == set(ada(hub).view.members)


def test_a_state_that_did_not_change_is_not_told(hub: LocalHub) -> None:
    seat = ada(hub)
    seat.room.update(seat, {"hand": "up"})
    hub.clock.pass_(1)
    seat.room.update(seat, {"hand": "up"})
    hub.clock.pass_(1)
    assert len(hub.of_type("presence")) == 1


# Above the limit.


@pytest.fixture
def few(settings: Any) -> None:
    settings.REALTIME_ROSTER_LIMIT = 10


@pytest.mark.usefixtures("few")
class TestAboveTheLimit:
    def test_names_go_in_one_diff_and_only_the_count_is_told(self, hub: LocalHub) -> None:
        crowd(hub, 10)
        view = ada(hub).view
        assert (view.members, view.count) == ({}, {"members": 11, "connections": 11})
        hub.broadcasts.clear()
        crowd(hub, 5, start=10)
        (presence,) = hub.of_type("presence")
        assert presence == {
            "type": "presence",
            "seq": view.seq,
            "count": {"members": 16, "connections": 16},
            "joins": [],
            "updates": [],
            "leaves": [],
        }

    def test_at_the_limit_itself_all_are_shown(self, hub: LocalHub) -> None:
        crowd(hub, 9)
        assert len(ada(hub).view.members) == 10

    def test_a_newcomer_gets_no_names(self, hub: LocalHub) -> None:
        crowd(hub, 10)
        (newcomer,) = crowd(hub, 1, start=10)
        assert newcomer.frames[0]["members"] == []
        assert newcomer.frames[0]["count"]["members"] == 12

    def test_a_newcomer_gets_no_names_even_before_the_others_are_told(self, hub: LocalHub) -> None:
        hub.seat("bob")
        hub.clock.tick()  # from here on an interval is gathered
        newcomers = [hub.seat(f"m{n}") for n in range(20)]
        hub.clock.tick()
        assert all(seat.frames[0]["members"] == [] for seat in newcomers)
        hub.clock.pass_(1)
        assert ada(hub).view.members == {} == newcomers[0].view.members

    def test_a_change_of_state_that_nobody_sees_is_not_told(self, hub: LocalHub) -> None:
        seat = crowd(hub, 10)[0]
        hub.broadcasts.clear()
        seat.room.update(seat, {"hand": "up"})
        hub.clock.pass_(1)
        assert hub.broadcasts == []

    def test_names_come_back_a_tenth_below(self, hub: LocalHub) -> None:
        seats = crowd(hub, 10)
        seats.pop().goes(Departure.LEAVE)
        hub.clock.pass_(1)
        assert ada(hub).view.members == {}
        seats.pop().goes(Departure.LEAVE)
        hub.clock.pass_(1)
        assert set(ada(hub).view.members) == {"ada", *(seat.member_id for seat in seats)}

    def test_a_peak_within_one_interval_leaves_all_with_the_same_view(self, hub: LocalHub) -> None:
        bob = hub.seat("bob")
        hub.clock.tick()  # from here on an interval is gathered
        peak = [hub.seat(f"m{n}") for n in range(10)]
        hub.clock.tick()
        for seat in (bob, *peak[2:]):
            seat.goes(Departure.LEAVE)
        hub.clock.tick()
        late = hub.seat("late")
        hub.clock.pass_(1)
        assert set(ada(hub).view.members) == {"ada", "m0", "m1", "late"}
        assert peak[0].view.members == late.view.members == ada(hub).view.members


def test_a_count_is_told_the_less_often_the_more_have_to_hear_it() -> None:
    hub = LocalHub()
    with override_settings(REALTIME_ROSTER_LIMIT=10, REALTIME_MAX_MEMBERS=3_000):
        for number in range(2_000):
            hub.seat(f"m{number}")
        hub.clock.pass_(1)
        hub.broadcasts.clear()
        for number in range(100):
            hub.seat(f"late{number}")
            hub.clock.pass_(0.02)
    assert len(hub.of_type("presence")) <= 2 / (2_000 * COUNT_EACH) + 1


def test_a_limit_of_nought_never_shows_a_name_or_an_id(settings: Any) -> None:
    settings.REALTIME_ROSTER_LIMIT = 0
    hub = LocalHub()
    (first,) = crowd(hub, 1)
    (second,) = crowd(hub, 1, start=1)
    assert first.view.count == {"members": 2, "connections": 2}
    first.room.publish("so that the room stays")
    first.goes(Departure.LEAVE)
    second.goes(Departure.LEAVE)
    hub.clock.pass_(1)
    crowd(hub, 2, start=2)
    assert first.frames[0]["members"] == []
    assert all(not (p["joins"] or p["updates"] or p["leaves"]) for p in hub.of_type("presence"))


# What it costs: counted, not timed.


def test_however_many_join_in_one_tick_the_roster_is_encoded_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[int] = []

    def counting(message: Any) -> bytes:
        if isinstance(message, list):
            encoded.append(len(message))
        return encode(message)

    monkeypatch.setattr("realtime.rooms.encode", counting)
    hub = LocalHub()
    crowd(hub, 100)
    assert encoded == [100]


def test_a_burst_of_joins_over_many_ticks_sends_each_at_most_the_limit(settings: Any) -> None:
    settings.REALTIME_ROSTER_LIMIT = 100
    sent = {number: bytes_for_joins(number) for number in (500, 1000)}
    assert sent[1000] <= 2.5 * sent[500]


def bytes_for_joins(number: int) -> int:
    hub = LocalHub()
    for n in range(number):
        hub.seat(f"m{n}")
        if n % 10 == 0:
            hub.clock.pass_(INTERVAL / 50)
    hub.clock.pass_(1)
    return hub.bytes


@pytest.mark.parametrize("departure", [Departure.LOST, Departure.RELOAD, Departure.LEAVE])
def test_a_thousand_that_leave_at_once_are_told_in_a_few_frames(departure: Departure) -> None:
    hub = LocalHub()
    witness = hub.seat("witness")
    seats = crowd(hub, 1000)
    hub.broadcasts.clear()
    for seat in seats:
        seat.goes(departure)
    hub.clock.pass_(16)
    assert len(hub.of_type("presence")) <= 2
    assert witness.view.count == {"members": 1, "connections": 1}
    assert set(witness.view.members) == {"witness"}


def test_a_hundred_members_with_ten_states_a_second_are_told_once_an_interval() -> None:
    hub = LocalHub()
    seats = crowd(hub, 100)
    hub.broadcasts.clear()
    for step in range(1000):
        seat = seats[step % 100]
        seat.room.update(seat, {"step": step})
        hub.clock.pass_(0.001)
    assert len(hub.of_type("presence")) <= 1 / INTERVAL + 1
    hub.clock.pass_(1)
    assert seats[0].view.members["m99"]["state"] == {"step": 999}
