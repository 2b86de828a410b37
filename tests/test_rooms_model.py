"""Any story that rooms can have, played against a model that is too simple to be wrong.

The server is real but for its sockets: frames are decoded, handled by the consumer, sent as bytes
and checked against the schema; the clock stands still. Each client knows what the wire says and
nothing else. A client whose network is gone hears nothing, and what it had sent may arrive late,
after the same client has come back and sent it again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from django.test import override_settings
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from realtime.roster import Departure
from tests.local import LocalHub, LocalSeat
from tests.wire import View

GRACE = {Departure.LEAVE: 0.0, Departure.RELOAD: 3.0, Departure.LOST: 15.0}
SIZE, AGE = 4, 16.0
INTERVAL = 0.05

ROOMS = st.sampled_from(["kitchen", "den"])
MEMBERS = st.sampled_from(["ada", "bob", "cleo", "dan"])
PICK = st.integers(0, 1000)


@dataclass
class ModelMember:
    connections: int = 1
    away: bool = False
    ends: float | None = None
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Tab:
    """One browser tab for all its life: sockets come and go, what it knows stays."""

    room: str
    member: str
    view: View = field(default_factory=View)
    seat: LocalSeat | None = None
    number: int = 0
    # Sent and not acknowledged, as (ref, data).
    open: list[tuple[int, str]] = field(default_factory=list)

    def hear_acks(self) -> None:
        if self.seat is not None:
            acked = {frame["ref"] for frame in self.seat.of_type("ack")}
            self.open = [(ref, data) for ref, data in self.open if ref not in acked]


class Rooms(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.settings = override_settings(
            REALTIME_HISTORY_SIZE=SIZE, REALTIME_HISTORY_AGE=AGE, REALTIME_ROSTER_LIMIT=200
        )
        self.settings.enable()
        self.hub = LocalHub()
        self.tabs: list[Tab] = []
        # Sockets that the server believes in and nobody is at, with what is still on its way.
        self.lost: list[tuple[LocalSeat, list[tuple[int, str]]]] = []
        self.model: dict[str, dict[str, ModelMember]] = {"kitchen": {}, "den": {}}
        # All that was ever said, by epoch: (when, data).
        self.said: dict[str, list[tuple[float, Any]]] = {}
        self.numbers = 0

    def teardown(self) -> None:
        self.time_passes(0.2)
        self.views_are_right()
        self.settings.disable()

    # Coming.

    @initialize(member=MEMBERS)
    def somebody_is_there(self, member: str) -> None:
        self.opens_a_tab("kitchen", member, 0)

    @rule(room=ROOMS, member=MEMBERS, recent=st.integers(0, 10))
    def opens_a_tab(self, room: str, member: str, recent: int) -> None:
        tab = Tab(room, member)
        self.tabs.append(tab)
        self.enters(tab, recent=recent)

    @rule(pick=PICK)
    def comes_back(self, pick: int) -> None:
        waiting = [tab for tab in self.tabs if tab.seat is None]
        if not waiting:
            return
        tab = waiting[pick % len(waiting)]
        missed_all = self.can_recover(tab)
        seat = self.enters(tab, resume=(tab.view.epoch, tab.view.offset))
        self.hub.clock.tick()  # a client sends when it has been welcomed
        assert tab.view.recovered[-1] is missed_all
        for ref, data in tab.open:
            self.sends(seat, ref, data)
        tab.hear_acks()

    def enters(self, tab: Tab, **arrival: Any) -> LocalSeat:
        seat = self.hub.seat(tab.member, tab.room, view=tab.view, **arrival)
        tab.seat = seat
        members = self.model[tab.room]
        member = members.setdefault(tab.member, ModelMember(connections=0))
        member.connections = 1 if member.ends is not None else member.connections + 1
        member.away, member.ends = False, None
        return seat

    def can_recover(self, tab: Tab) -> bool:
        room = self.hub.rooms.get(tab.room)
        if room is None or room.history.epoch != tab.view.epoch:
            return False
        said = self.said.get(tab.view.epoch, [])
        missed = said[tab.view.offset :]
        now = self.hub.clock.time()
        return len(missed) <= SIZE and all(now - when < AGE for when, _ in missed)

    # Going.

    @rule(pick=PICK, departure=st.sampled_from(Departure))
    @precondition(lambda self: any(tab.seat for tab in self.tabs))
    def goes(self, pick: int, departure: Departure) -> None:
        tab = self.present(pick)
        tab.hear_acks()
        assert tab.seat is not None
        seat, tab.seat = tab.seat, None
        self.ends(seat, departure)
        if departure is Departure.LEAVE:
            self.tabs.remove(tab)

    @rule(pick=PICK)
    @precondition(lambda self: any(tab.seat for tab in self.tabs))
    def loses_the_network(self, pick: int) -> None:
        """And has just sent something, which may arrive one day."""
        tab = self.present(pick)
        self.hub.clock.tick()
        tab.hear_acks()
        assert tab.seat is not None
        seat, tab.seat = tab.seat, None
        seat.is_deaf = True
        tab.view.lost()
        self.lost.append((seat, [self.new_message(tab)]))

    @rule(pick=PICK)
    @precondition(lambda self: self.lost)
    def what_was_sent_arrives_late(self, pick: int) -> None:
        seat, underway = self.lost[pick % len(self.lost)]
        while underway:
            self.sends(seat, *underway.pop(0))

    @rule(pick=PICK)
    @precondition(lambda self: self.lost)
    def the_server_notices(self, pick: int) -> None:
        seat, _ = self.lost.pop(pick % len(self.lost))
        self.ends(seat, Departure.LOST, lost=True)

    def ends(self, seat: LocalSeat, departure: Departure, *, lost: bool = False) -> None:
        if lost:
            seat.view = View()  # the tab has its own life by now
        seat.goes(departure)
        member = self.model[seat.room.name][seat.member_id]
        if member.connections > 1:
            member.connections -= 1
        elif not GRACE[departure]:
            del self.model[seat.room.name][seat.member_id]
        else:
            member.ends = self.hub.clock.time() + GRACE[departure]
            if departure is Departure.LOST:
                member.connections, member.away = 0, True

    # Saying.

    def new_message(self, tab: Tab) -> tuple[int, str]:
        self.numbers += 1
        tab.number += 1  # each tab counts from 1: refs of a member's tabs meet
        tab.open.append((tab.number, f"{tab.member} {self.numbers}"))
        return tab.open[-1]

    @rule(pick=PICK)
    @precondition(lambda self: any(tab.seat for tab in self.tabs))
    def says(self, pick: int) -> None:
        tab = self.present(pick)
        assert tab.seat is not None
        self.sends(tab.seat, *self.new_message(tab))
        assert tab.open[-1][0] in {frame["ref"] for frame in tab.seat.of_type("ack")}
        tab.hear_acks()

    def sends(self, seat: LocalSeat, ref: int, data: str) -> None:
        room, before = seat.room, seat.room.history.offset
        held = [entry for _, entry in self.held(room.history.epoch)]
        seat.send_message("message", data=data, ref=ref)
        if room.history.offset > before:
            assert data not in held, "what the ring still holds is not said twice"
            self.note(room.history.epoch, data)
        else:
            assert data in [entry for _, entry in self.said[room.history.epoch]]

    @rule(room=ROOMS, data=st.lists(st.integers() | st.none() | st.text(max_size=3), max_size=6))
    def the_server_says(self, room: str, data: list[Any]) -> None:
        there = self.hub.room(room)
        for each in data:
            there.publish(each)
            self.note(there.history.epoch, each)

    def note(self, epoch: str, data: Any) -> None:
        self.said.setdefault(epoch, []).append((self.hub.clock.time(), data))

    def held(self, epoch: str) -> list[tuple[float, Any]]:
        now = self.hub.clock.time()
        return [(when, data) for when, data in self.said.get(epoch, [])[-SIZE:] if now - when < AGE]

    @rule(pick=PICK, to=st.none() | MEMBERS)
    @precondition(lambda self: any(tab.seat for tab in self.tabs))
    def signals(self, pick: int, to: str | None) -> None:
        tab = self.present(pick)
        self.hub.clock.tick()
        seat = tab.seat
        assert seat is not None
        heard = {id(other): len(other.seat.of_type("signal")) for other in self.tabs if other.seat}
        there = sum(other.member_id == to for other in seat.room.seats.values())
        if to is None or there:
            seat.send_message("signal", data=1, **({"to": to} if to else {}))
        for other in self.tabs:
            if other.seat is None:
                continue
            is_meant = other.room == tab.room and (
                (other is not tab) if to is None else other.member == to
            )
            more = len(other.seat.of_type("signal")) - heard[id(other)]
            assert more == (1 if is_meant else 0)

    @rule(pick=PICK, key=st.sampled_from("ab"), value=st.none() | st.integers(0, 2))
    @precondition(lambda self: any(tab.seat for tab in self.tabs))
    def changes_state(self, pick: int, key: str, value: int | None) -> None:
        tab = self.present(pick)
        assert tab.seat is not None
        tab.seat.send_message("state", state={key: value})
        state = self.model[tab.room][tab.member].state
        state.pop(key, None)
        if value is not None:
            state[key] = value

    def present(self, pick: int) -> Tab:
        there = [tab for tab in self.tabs if tab.seat is not None]
        return there[pick % len(there)]

    # Time.

    @rule()
    def a_moment_passes(self) -> None:
        self.time_passes(INTERVAL)

    @rule(seconds=st.sampled_from([0.02, 1.0, 3.0, 12.0, 15.0, 16.0]))
    def time_passes(self, seconds: float) -> None:
        self.hub.clock.pass_(seconds)
        for members in self.model.values():
            for member_id, member in list(members.items()):
                if member.ends is not None and member.ends <= self.hub.clock.time():
                    del members[member_id]

    @rule()
    def a_frame_to_everybody_in_a_room_gets_lost(self) -> None:
        """Which cannot be over TCP, but a client must be right again nevertheless."""
        self.time_passes(INTERVAL * 2)
        for name in self.hub.rooms:
            self.hub.rooms[name].roster.emitted()

    # What must hold.

    @invariant()
    def the_roster_is_the_models(self) -> None:
        for name, members in self.model.items():
            room = self.hub.rooms.get(name)
            shown = {m.id: m for m in room.roster.members()} if room else {}
            assert {
                member_id: (m.connections, m.away, m.state) for member_id, m in shown.items()
            } == {member_id: (m.connections, m.away, m.state) for member_id, m in members.items()}
            assert len({m.name for m in shown.values()}) == len(shown)

    @invariant()
    def views_are_right(self) -> None:
        for tab in self.tabs:
            tab.hear_acks()
            seat = tab.seat
            if seat is None or seat.room._entering or seat.room._announcer._diffs:
                continue
            self.view_is_right(tab, seat)

    def view_is_right(self, tab: Tab, seat: LocalSeat) -> None:
        room = seat.room
        if tab.view.seq != room.roster.seq:
            return  # a frame was lost, and the next will show it
        members = {m.id: (m.name, m.connections, m.away, m.state) for m in room.roster.members()}
        assert {
            member_id: (m["name"], m["connections"], m["away"], m["state"])
            for member_id, m in tab.view.members.items()
        } == members
        assert tuple(tab.view.count.values()) == room.roster.counts()
        assert (tab.view.epoch, tab.view.offset) == (room.history.epoch, room.history.offset)
        said = self.said.get(tab.view.epoch, [])
        for (epoch, offset), data in tab.view.messages.items():
            if epoch == tab.view.epoch:
                assert data == said[offset - 1][1]

    @invariant()
    def what_is_remembered_is_what_was_said(self) -> None:
        for room in self.hub.rooms.values():
            recent = room.history.recent(SIZE, now=self.hub.clock.time())
            held = self.held(room.history.epoch)
            assert len(recent) == len(held)
            assert room.history.offset == len(self.said.get(room.history.epoch, []))

    @invariant()
    def nothing_is_left_of_who_has_gone(self) -> None:
        there = [tab.seat for tab in self.tabs if tab.seat] + [seat for seat, _ in self.lost]
        assert self.hub.connections == len(there)
        seats = {name for room in self.hub.rooms.values() for name in room.seats}
        assert seats == {seat.channel_name for seat in there}


TestRooms = Rooms.TestCase
TestRooms.settings = hypothesis_settings(
    max_examples=5000 if os.environ.get("LONG_TESTS") else 200,
    stateful_step_count=60,
    deadline=None,
)
