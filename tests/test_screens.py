"""The screens of a server: who is one, which are missing, and since when."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from realtime.roster import Departure, Diff, Member
from realtime.screens import MOST_EXPECTED, Screen, Screens, TooManyScreens
from tests.local import LocalHub

LEFT = Member("left", "Left", {"screen": True})
WALL = 1_700_000_000.0


@pytest.fixture
def screens() -> Screens:
    screens = Screens()
    screens.follow("lobby", Diff(joins=[LEFT]), now=10)
    return screens


def known(screens: Screens) -> dict[str, float | None]:
    return {screen.name: screen.lost_at for screen in screens}


def test_a_member_that_says_so_is_a_screen(screens: Screens) -> None:
    assert list(screens) == [Screen("lobby", "left", "Left")]


@pytest.mark.parametrize("state", [{}, {"screen": False}, {"screen": 1}, {"screen": "true"}])
def test_other_members_are_not(state: dict[str, Any]) -> None:
    screens = Screens()
    screens.follow("lobby", Diff(joins=[replace(LEFT, state=state)]), now=1)
    assert list(screens) == []


def test_one_that_nobody_expects_is_forgotten_when_it_goes(screens: Screens) -> None:
    screens.follow("lobby", Diff(updates=[replace(LEFT, away=True)]), now=20)
    assert known(screens) == {"Left": 20}
    screens.follow("lobby", Diff(leaves=["left"]), now=35)
    assert known(screens) == {}


def test_an_expected_one_is_missing_since_it_was_last_here(screens: Screens) -> None:
    screens.expect("lobby", "left")
    assert known(screens) == {"Left": None}
    screens.follow("lobby", Diff(updates=[replace(LEFT, away=True)]), now=20)
    screens.follow("lobby", Diff(leaves=["left"]), now=35)
    screens.follow("lobby", Diff(leaves=["left"]), now=36)
    assert known(screens) == {"Left": 20}
    screens.follow("lobby", Diff(joins=[replace(LEFT, name="Left 2")]), now=50)
    assert known(screens) == {"Left 2": None}


def test_a_device_that_only_reads_along_is_not_the_screen_that_it_was(screens: Screens) -> None:
    screens.expect("lobby", "left")
    screens.follow("lobby", Diff(leaves=["left"]), now=20)
    screens.follow("lobby", Diff(joins=[replace(LEFT, state={})]), now=21)
    assert known(screens) == {"Left": 20}


def test_the_same_device_in_another_room_is_another_screen(screens: Screens) -> None:
    screens.expect("lobby", "left")
    screens.follow("den", Diff(joins=[LEFT]), now=11)
    screens.follow("lobby", Diff(leaves=["left"]), now=12)
    assert [(each.room, each.lost_at) for each in screens] == [("lobby", 12), ("den", None)]


def test_forgetting_leaves_who_is_here_and_drops_who_is_not(screens: Screens) -> None:
    screens.expect("lobby", "left")
    assert screens.forget("lobby", "left")
    assert not screens.forget("lobby", "left")
    assert known(screens) == {"Left": None}
    screens.expect("lobby", "left")
    screens.follow("lobby", Diff(leaves=["left"]), now=12)
    assert screens.forget("lobby", "left")
    assert known(screens) == {}


def test_nobody_can_expect_what_was_never_seen(screens: Screens) -> None:
    with pytest.raises(KeyError):
        screens.expect("lobby", "right")


def test_only_so_many_are_expected() -> None:
    screens = Screens()
    crowd = [replace(LEFT, id=str(number)) for number in range(MOST_EXPECTED + 1)]
    screens.follow("lobby", Diff(joins=crowd), now=1)
    for member in crowd[:-1]:
        screens.expect("lobby", member.id)
    with pytest.raises(TooManyScreens, match="200 screens are expected already"):
        screens.expect("lobby", crowd[-1].id)
    screens.expect("lobby", crowd[0].id)  # it is one of them


# --- Over a restart -------------------------------------------------------------------------------


def restarted(screens: Screens, *, now: float, wall: float, later: float) -> Screens:
    """In another process whose clock begins at 0, `later` seconds after."""
    kept = json.loads(json.dumps(screens.dump(now=now, wall=wall)))
    fresh = Screens()
    fresh.restore(kept, now=0, wall=wall + later)
    return fresh


def test_after_a_restart_the_expected_are_missing_since_before_it(screens: Screens) -> None:
    screens.expect("lobby", "left")
    screens.follow("lobby", Diff(joins=[replace(LEFT, id="x", name="Nobody's")]), now=11)
    screens.follow("lobby", Diff(leaves=["left"]), now=12)
    again = restarted(screens, now=20, wall=WALL, later=60)
    assert known(again) == {"Left": -68}
    again.follow("lobby", Diff(joins=[LEFT]), now=3)
    assert known(again) == {"Left": None}


def test_one_that_was_here_at_the_end_is_missing_from_the_start_on(screens: Screens) -> None:
    screens.expect("lobby", "left")
    assert known(restarted(screens, now=20, wall=WALL, later=3600)) == {"Left": 0}


def test_a_wall_clock_that_was_set_back_makes_nothing_missing_in_the_future(
    screens: Screens,
) -> None:
    screens.expect("lobby", "left")
    screens.follow("lobby", Diff(leaves=["left"]), now=12)
    assert known(restarted(screens, now=20, wall=WALL, later=-9999)) == {"Left": 0}


def test_who_was_faster_than_the_snapshot_is_here(screens: Screens) -> None:
    screens.expect("lobby", "left")
    kept = screens.dump(now=20, wall=WALL)
    fresh = Screens()
    fresh.follow("lobby", Diff(joins=[LEFT]), now=1)
    fresh.restore(kept, now=2, wall=WALL)
    assert list(fresh) == [Screen("lobby", "left", "Left", is_expected=True)]


@pytest.mark.parametrize(
    "kept",
    [
        {"version": 2, "expected": []},
        {},
        [],
        {"version": 1, "expected": [{"room": "a"}]},
        {"version": 1, "expected": [{"room": "a", "member": "b", "name": "c", "lost": "x"}]},
    ],
)
def test_what_is_no_dump_changes_nothing(kept: Any) -> None:
    screens = Screens()
    with pytest.raises((ValueError, KeyError, TypeError)):
        screens.restore(kept, now=0, wall=WALL)
    assert list(screens) == []


def test_a_dump_is_announced_when_it_has_news() -> None:
    told: list[int] = []
    screens = Screens(lambda: told.append(1))
    screens.follow("lobby", Diff(joins=[LEFT]), now=1)
    screens.follow("lobby", Diff(updates=[LEFT]), now=2)
    assert len(told) == 0
    screens.expect("lobby", "left")
    screens.follow("lobby", Diff(updates=[LEFT]), now=3)
    assert len(told) == 1
    screens.follow("lobby", Diff(leaves=["left"]), now=4)
    screens.follow("lobby", Diff(joins=[LEFT]), now=5)
    screens.forget("lobby", "left")
    assert len(told) == 4


# --- In a hub -------------------------------------------------------------------------------------


def test_rooms_tell_of_their_screens() -> None:
    hub = LocalHub()
    seat = hub.seat("left", "lobby", name="Left")
    hub.clock.tick()
    seat.send_message("state", state={"screen": True})
    hub.screens.expect("lobby", "left")
    assert known(hub.screens) == {"Left": None}
    hub.clock.pass_(5)
    seat.goes(Departure.LOST)
    hub.clock.pass_(100)
    assert hub.rooms == {}
    assert known(hub.screens) == {"Left": 1005}


def test_the_expected_screens_are_in_the_hubs_notes_and_come_back_from_them() -> None:
    hub, later = LocalHub(), LocalHub()
    hub.screens.follow("lobby", Diff(joins=[LEFT]), now=1000)
    hub.screens.expect("lobby", "left")
    later.notes = json.loads(json.dumps(hub.notes))
    later.recall()
    assert known(later.screens) == {"Left": 1000}


def test_notes_of_a_later_version_are_a_line_in_the_log(logged: list[str]) -> None:
    hub = LocalHub()
    hub.notes = {"screens": {"version": 9}}
    hub.recall()
    assert list(hub.screens) == []
    assert "screens of the snapshot are forgotten" in logged[0]
