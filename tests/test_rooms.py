"""What a room does for those in it; the clock stands still."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime.codes import is_final
from realtime.rooms import Full, Receipt
from realtime.roster import Departure
from tests.local import LocalHub, LocalSeat
from tests.wire import View

GRACE, GRACE_RELOAD = 15.0, 3.0


@pytest.fixture
def hub() -> LocalHub:
    return LocalHub()


def enter(hub: LocalHub, member: str, **arrival: Any) -> LocalSeat:
    """In, and welcomed, and the others have been told."""
    seat = hub.seat(member, **arrival)
    hub.clock.pass_(1)
    return seat


def back(hub: LocalHub, seat: LocalSeat, **arrival: Any) -> LocalSeat:
    """The same browser again, with what it had."""
    view = seat.view
    return enter(hub, seat.member_id, view=view, resume=(view.epoch, view.offset), **arrival)


# The welcome.


def test_the_welcome_says_all_that_a_page_needs(hub: LocalHub) -> None:
    seat = enter(hub, "ada", name="Ada")
    welcome = seat.frames[0]
    assert welcome["type"] == "welcome"
    assert (welcome["protocol"], welcome["room"], welcome["member"]) == (1, "kitchen", "ada")
    assert (welcome["offset"], welcome["recovered"], welcome["messages"]) == (0, None, [])
    assert welcome["heartbeat"] == 20
    assert welcome["retry_ms"] == [100, 1000]
    assert [member["name"] for member in welcome["members"]] == ["Ada"]


def test_who_comes_is_in_its_own_welcome_and_hears_no_join_of_its_own(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    assert set(seat.view.members) == {"ada"}
    assert seat.of_type("presence") == []


def test_nothing_between_snapshot_and_stream_is_lost_or_doubled(hub: LocalHub) -> None:
    room = hub.room("kitchen")
    seats = []
    for n in range(200):
        room.publish(n)
        if n % 4 == 0:
            seats.append(hub.seat(f"m{n}", recent=100))
        room.publish(n + 0.5)
        if n % 3 == 0:
            hub.clock.tick()  # some enter, and are welcomed ticks later than others
    hub.clock.pass_(1)
    for seat in seats:  # the view fails on a hole, or on one that came twice
        assert seat.view.offset == room.history.offset
        assert set(seat.view.members) == {other.member_id for other in seats}


def test_who_leaves_before_the_welcome_gets_none(hub: LocalHub) -> None:
    seat = hub.seat("ada")
    seat.goes(Departure.LEAVE)
    hub.clock.pass_(1)
    assert seat.frames == []
    assert hub.rooms == {}


# Messages.


def test_offsets_rise_by_one(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    assert [seat.room.publish(n).offset for n in range(5)] == [1, 2, 3, 4, 5]
    assert [m["offset"] for m in seat.of_type("message")] == [1, 2, 3, 4, 5]


def test_a_message_says_who_and_the_servers_says_nobody(hub: LocalHub) -> None:
    seat = enter(hub, "ada", name="Ada")
    seat.room.publish("hi", member="ada")
    seat.room.publish("ho")
    first, second = seat.of_type("message")
    assert (first["member"], first["name"], first["data"]) == ("ada", "Ada", "hi")
    assert (second["member"], second["name"], second["data"]) == (None, "", "ho")


def test_history_is_what_is_asked_for(hub: LocalHub) -> None:
    room = hub.room("kitchen")
    for n in range(10):
        room.publish(n)
    assert [m["data"] for m in enter(hub, "ada").frames[0]["messages"]] == []
    assert [m["data"] for m in enter(hub, "bob", recent=1).frames[0]["messages"]] == [9]
    assert len(enter(hub, "cleo", recent=5000).frames[0]["messages"]) == 10


def test_a_resume_gets_all_that_was_missed(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    seat.room.publish(1)
    seat.goes(Departure.LOST)
    for n in range(50):
        seat.room.publish(n)
    seat = back(hub, seat)
    assert seat.frames[0]["recovered"] is True
    assert [m["data"] for m in seat.frames[0]["messages"]] == list(range(50))


def test_a_resume_that_missed_too_much_gets_the_recent_and_is_told(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    seat.room.publish(1)
    seat.goes(Departure.LOST)
    for n in range(101):
        seat.room.publish(n)
    assert back(hub, seat, recent=3).frames[0]["recovered"] is False
    assert list(seat.view.messages.values()) == [1, 98, 99, 100]


def test_a_resume_from_another_epoch_is_no_recovery(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    seat.room.publish(1)
    seat.room.history.epoch = "of another server"
    seat.goes(Departure.LOST)
    assert back(hub, seat).frames[0]["recovered"] is False


def test_a_resume_from_the_future_is_no_recovery(hub: LocalHub) -> None:
    hub.room("kitchen").publish(1)
    epoch = hub.room("kitchen").history.epoch
    assert enter(hub, "ada", resume=(epoch, 2)).frames[0]["recovered"] is False


def test_a_room_made_again_has_another_epoch(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    seat.goes(Departure.LEAVE)
    assert enter(hub, "ada").frames[0]["epoch"] != seat.frames[0]["epoch"]


def test_a_message_that_is_no_json_takes_no_offset(hub: LocalHub) -> None:
    room = hub.room("kitchen")
    with pytest.raises(TypeError, match="cannot be sent as JSON"):
        room.publish(object())
    assert room.publish(1).offset == 1


def test_who_is_excluded_does_not_get_it(hub: LocalHub) -> None:
    ada, bob = enter(hub, "ada"), enter(hub, "bob")
    assert ada.room.publish("hi", exclude=ada.channel_name) == Receipt(1, 1)
    assert ada.of_type("message") == []
    assert [m["data"] for m in bob.of_type("message")] == ["hi"]


def test_a_receipt_counts_who_gets_it_and_not_who_is_yet_to_be_welcomed(hub: LocalHub) -> None:
    room = enter(hub, "ada").room
    coming = hub.seat("bob")
    assert room.publish("hi").receivers == 1
    assert room.publish("hi", exclude=coming.channel_name).receivers == 1
    hub.clock.tick()
    assert room.publish("hi").receivers == 2


# Signals.


def test_a_signal_goes_to_everyone_else_and_is_not_stored(hub: LocalHub) -> None:
    ada, bob = enter(hub, "ada"), enter(hub, "bob")
    receipt = ada.room.signal({"x": 1}, member="ada", exclude=ada.channel_name)
    assert receipt == Receipt(None, 1)
    assert ada.of_type("signal") == []
    assert bob.of_type("signal") == [{"type": "signal", "member": "ada", "data": {"x": 1}}]
    assert len(ada.room.history) == 0


def test_a_signal_to_a_member_goes_to_all_their_tabs_and_nobody_else(hub: LocalHub) -> None:
    ada, bob, tab = enter(hub, "ada"), enter(hub, "bob"), enter(hub, "bob")
    assert ada.room.signal(1, member="ada", to="bob").receivers == 2
    assert [len(seat.of_type("signal")) for seat in (ada, bob, tab)] == [0, 1, 1]


# Members.


def test_three_tabs_are_one_member_with_three_connections(hub: LocalHub) -> None:
    witness = enter(hub, "witness")
    tabs = [enter(hub, "ada") for _ in range(3)]
    assert witness.view.members["ada"]["connections"] == 3
    assert witness.view.joined == ["ada"]
    for tab in tabs:
        tab.goes(Departure.LEAVE)
    hub.clock.pass_(1)
    assert (witness.view.joined, witness.view.left) == (["ada"], ["ada"])


def test_names_are_unique_and_come_free_again(hub: LocalHub) -> None:
    enter(hub, "a", name="Ada")
    second = enter(hub, "b", name="Ada")
    assert second.view.members["b"]["name"] == "Ada 2"
    second.goes(Departure.LEAVE)
    assert enter(hub, "c", name="Ada").view.members["c"]["name"] == "Ada 2"


def test_who_joins_again_by_another_name_is_renamed(hub: LocalHub) -> None:
    witness = enter(hub, "witness")
    enter(hub, "ada", name="Ada")
    enter(hub, "ada", name="Lady Lovelace")
    assert witness.view.members["ada"]["name"] == "Lady Lovelace"
    assert witness.view.joined == ["ada"]


@pytest.mark.parametrize(
    ("departure", "grace", "away"),
    [
        (Departure.LEAVE, 0, False),
        (Departure.RELOAD, GRACE_RELOAD, False),
        (Departure.LOST, GRACE, True),
    ],
)
def test_grace_is_by_cause(hub: LocalHub, departure: Departure, grace: float, away: bool) -> None:
    witness, ada = enter(hub, "witness"), enter(hub, "ada")
    ada.goes(departure)
    if grace:
        hub.clock.pass_(grace - 0.2)
        assert witness.view.members["ada"]["away"] is away
        assert witness.view.left == []
    hub.clock.pass_(0.5)
    assert witness.view.left == ["ada"]


@pytest.mark.parametrize("departure", [Departure.RELOAD, Departure.LOST])
def test_back_within_the_grace_others_see_no_leave_and_no_join(
    hub: LocalHub, departure: Departure
) -> None:
    witness, ada = enter(hub, "witness"), enter(hub, "ada", name="Ada")
    ada.room.update(ada, {"hand": "up"})
    ada.goes(departure)
    hub.clock.pass_(2)
    again = back(hub, ada)
    hub.clock.pass_(60)
    assert (witness.view.joined, witness.view.left) == (["ada"], [])
    shown = {"id": "ada", "name": "Ada", "connections": 1, "state": {"hand": "up"}, "away": False}
    assert witness.view.members["ada"] == again.view.members["ada"] == shown


def test_ten_reloads_in_a_row_show_nothing_at_all(hub: LocalHub) -> None:
    witness, ada = enter(hub, "witness"), enter(hub, "ada")
    frames = len(witness.frames)
    for _ in range(10):
        ada.goes(Departure.RELOAD)
        hub.clock.pass_(0.5)
        ada = hub.seat("ada")
        hub.clock.tick()
    hub.clock.pass_(10)
    assert [frame["type"] for frame in witness.frames[frames:]] == []


def test_a_room_that_nobody_is_in_or_remembers_is_forgotten(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    seat.goes(Departure.LOST)
    assert "kitchen" in hub.rooms
    hub.clock.pass_(GRACE)
    assert hub.rooms == {}


def test_a_room_made_again_hears_nothing_of_the_one_before(hub: LocalHub) -> None:
    ada = hub.seat("ada")
    hub.clock.tick()  # from here on an interval is gathered
    ada.goes(Departure.LEAVE)
    bob = hub.seat("bob")
    hub.clock.pass_(1)
    assert bob.view.count == {"members": 1, "connections": 1}
    assert (bob.view.seq, bob.view.left) == (1, [])


def test_who_watches_from_outside_hears_of_the_last_that_left(hub: LocalHub) -> None:
    ada = hub.seat("ada")
    hub.clock.tick()
    ada.goes(Departure.LEAVE)
    assert hub.of_type("presence")[-1]["leaves"] == ["ada"]


def test_state_after_leaving_changes_nothing(hub: LocalHub) -> None:
    witness, ada = enter(hub, "witness"), enter(hub, "ada")
    ada.goes(Departure.LEAVE)
    ada.room.update(ada, {"hand": "up"})
    hub.clock.pass_(1)
    assert set(witness.view.members) == {"witness"}


# Resync.


def test_a_client_that_sees_a_hole_resyncs_and_is_right_again(hub: LocalHub) -> None:
    ada = enter(hub, "ada")
    group = hub.groups.pop(ada.room.group)  # a frame that does not arrive
    hub.seat("lost")
    hub.clock.pass_(1)
    hub.groups[ada.room.group] = group
    enter(hub, "bob")
    assert ada.view.resyncs == 1
    assert set(ada.view.members) == {"ada", "bob", "lost"}


# The heartbeat.


def test_a_room_pings_at_every_heartbeat_as_long_as_somebody_is_in(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    hub.clock.pass_(60)
    assert len(seat.of_type("ping")) == 3
    seat.goes(Departure.LEAVE)
    hub.broadcasts.clear()
    hub.clock.pass_(60)
    assert hub.of_type("ping") == []


def test_a_heartbeat_begins_again_with_who_comes_after_a_break(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    seat.room.publish("so that the room stays")
    seat.goes(Departure.LEAVE)
    hub.clock.pass_(60)
    seat = enter(hub, "ada")
    hub.clock.pass_(20)
    assert len(seat.of_type("ping")) == 1


# Limits.


def test_a_full_room_says_so(hub: LocalHub, settings: Any) -> None:
    settings.REALTIME_MAX_MEMBERS = 2
    enter(hub, "ada")
    enter(hub, "bob")
    with pytest.raises(Full, match="This room holds 2 connections"):
        hub.seat("cleo")
    assert hub.connections == 2


def test_who_goes_makes_room_once(hub: LocalHub, settings: Any) -> None:
    settings.REALTIME_MAX_MEMBERS = 2
    ada = enter(hub, "ada")
    enter(hub, "bob")
    ada.goes(Departure.LEAVE)
    ada.goes(Departure.LEAVE)  # twice is once
    assert hub.connections == 1
    hub.seat("cleo")
    with pytest.raises(Full):
        hub.seat("dora")


def test_full_is_tried_again_later() -> None:
    assert not is_final(4503)


# In a real loop.


async def test_in_a_loop_who_yields_once_after_entering_has_been_welcomed() -> None:
    hub = LocalHub()
    hub.clock = asyncio.get_running_loop()  # type: ignore[assignment]
    first = hub.seat("ada")
    second = hub.seat("bob")
    await asyncio.sleep(0)
    assert first.view.member == "ada"
    assert second.view.member == "bob"


def test_the_view_of_these_tests_finds_a_doubled_message(hub: LocalHub) -> None:
    seat = enter(hub, "ada")
    seat.room.publish(1)
    text = seat.of_type("message")[0]
    with pytest.raises(AssertionError):
        seat.view.take(text)
    with pytest.raises(AssertionError):
        seat.view.take({**text, "offset": 3})
    assert isinstance(seat.view, View)
