"""The rooms of a process: how many, for how long, and whose loop they live in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime import hub as module
from realtime.hub import SWEEP, WEIGHED_EACH, NotServingError, serve_here, serving_hub
from realtime.rooms import Full
from realtime.roster import Departure
from tests.local import LocalHub


@pytest.fixture
def hub() -> LocalHub:
    return LocalHub()


def test_a_room_is_made_once(hub: LocalHub) -> None:
    assert hub.room("kitchen") is hub.room("kitchen")
    assert hub.room("kitchen") is not hub.room("den")


def test_a_room_of_messages_only_is_forgotten_when_they_are_too_old(
    hub: LocalHub, settings: Any
) -> None:
    settings.REALTIME_HISTORY_AGE = 90
    hub.room("kitchen").publish(1)
    hub.clock.pass_(89)
    assert "kitchen" in hub.rooms
    hub.clock.pass_(SWEEP)
    assert hub.rooms == {}


def test_sweeping_goes_on_for_rooms_made_later(hub: LocalHub, settings: Any) -> None:
    settings.REALTIME_HISTORY_AGE = 90
    hub.room("kitchen").publish(1)
    hub.clock.pass_(1000)
    hub.room("den").publish(1)
    hub.clock.pass_(1000)
    assert hub.rooms == {}


def test_a_room_with_somebody_in_it_stays(hub: LocalHub) -> None:
    hub.seat("ada")
    hub.clock.pass_(10_000)
    assert list(hub.rooms) == ["kitchen"]


def test_one_room_too_many_takes_the_place_of_the_oldest_that_nobody_is_in(
    hub: LocalHub, settings: Any
) -> None:
    settings.REALTIME_MAX_ROOMS = 3
    hub.seat("ada", "a")
    hub.room("b").publish(1)
    hub.room("c").publish(1)
    hub.room("d")
    assert list(hub.rooms) == ["a", "c", "d"]


def test_a_room_where_somebody_is_expected_back_is_not_given_away(
    hub: LocalHub, settings: Any
) -> None:
    settings.REALTIME_MAX_ROOMS = 1
    hub.seat("ada", "a").goes(Departure.LOST)
    with pytest.raises(Full, match="This server holds 1 room, and not one is free"):
        hub.room("b")
    hub.clock.pass_(16)
    hub.room("b")


def test_retries_are_spread_by_the_number_of_connections(hub: LocalHub) -> None:
    spread = {}
    for hub.connections in (0, 1_000, 100_000):
        spread[hub.connections] = hub.retry_ms()
    assert spread == {0: (100, 1_000), 1_000: (100, 5_000), 100_000: (100, 30_000)}


async def test_a_loop_has_one_hub() -> None:
    assert serve_here() is serve_here() is serving_hub()


def test_a_loop_that_has_ended_takes_its_rooms_with_it() -> None:
    async def rooms() -> list[str]:
        hub = serve_here()
        before = list(hub.rooms)
        hub.room("kitchen")
        return before

    assert asyncio.run(rooms()) == asyncio.run(rooms()) == []


def test_after_its_loop_a_process_does_not_serve() -> None:
    async def serve() -> None:
        serve_here()

    asyncio.run(serve())
    with pytest.raises(NotServingError, match=r"POST /api/rooms/<room>/messages/"):
        serving_hub()


def test_a_process_that_never_served_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_hub", None)
    with pytest.raises(NotServingError, match=r"python app\.py publish ROOM JSON"):
        serving_hub()


def fill(hub: LocalHub, room: str, count: int) -> None:
    for _ in range(count):
        hub.room(room).publish("x" * 60_000)


def test_rooms_that_remember_too_much_forget_and_small_ones_keep_all(
    hub: LocalHub, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REALTIME_HISTORY_TOTAL_BYTES = 1_048_576
    for number in range(5):
        hub.room("kitchen").publish(number)
    for number in range(40):
        fill(hub, f"invented-{number}", 5)
    assert len(hub.room("kitchen").history) == 5
    weights = [room.history.weight for room in hub.rooms.values()]
    assert sum(weights) <= 1_048_576 * (1 + WEIGHED_EACH) + 61_000
    assert sum(weights) > 1_048_576 // 2
    assert [record.getMessage()[:34] for record in caplog.records] == [
        "Rooms remember all that REALTIME_H"
    ]


def test_who_missed_what_a_room_had_to_forget_is_told_so(hub: LocalHub, settings: Any) -> None:
    settings.REALTIME_HISTORY_TOTAL_BYTES = 1_048_576
    fill(hub, "kitchen", 4)
    history = hub.room("kitchen").history
    for number in range(40):
        fill(hub, f"invented-{number}", 5)
    assert history.offset == 4
    assert not history.resume(history.epoch, 1, now=hub.clock.time()).recovered
