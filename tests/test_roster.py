"""Who is in one room, told as a story; at the end a machine plays all stories it can think of."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.names import friendly_name, name_key
from realtime.roster import Departure, Diff, Member, Roster, StateRefused, merge_patch

GRACE = 15.0
GRACE_RELOAD = 3.0
STATE_SIZE = 100

LEAVE, RELOAD, LOST = Departure.LEAVE, Departure.RELOAD, Departure.LOST
View = dict[str, Member]


def new_roster() -> Roster:
    return Roster(grace=GRACE, grace_reload=GRACE_RELOAD, state_size=STATE_SIZE)


@pytest.fixture
def roster() -> Roster:
    """A room with Ada in it: member "a", by the connection "a1"."""
    roster = new_roster()
    roster.join("a", "a1", name="Ada")
    return roster


def apply(diff: Diff, view: View) -> View:
    """What every client does with a diff."""
    changed = {**view, **{member.id: member for member in (*diff.joins, *diff.updates)}}
    return {member_id: m for member_id, m in changed.items() if member_id not in diff.leaves}


# Coming.


def test_a_room_starts_empty() -> None:
    roster = new_roster()
    assert roster.members() == []
    assert roster.counts() == (0, 0)
    assert roster.deadline() is None


def test_the_first_connection_is_a_join() -> None:
    roster = new_roster()
    diff = roster.join("a", "a1", name="Ada")
    assert diff == Diff(joins=[Member(id="a", name="Ada", state={}, connections=1, away=False)])
    assert roster.members() == diff.joins
    assert roster.counts() == (1, 1)


def test_a_second_tab_is_a_second_connection_of_the_same_member(roster: Roster) -> None:
    diff = roster.join("a", "a2")
    assert diff == Diff(updates=[Member("a", "Ada", {}, connections=2)])
    assert roster.counts() == (1, 2)


def test_a_member_is_found_by_id(roster: Roster) -> None:
    assert "a" in roster
    assert roster.get("a") == Member("a", "Ada", {})
    assert "b" not in roster
    assert roster.get("b") is None


def test_one_connection_joining_twice_is_our_bug(roster: Roster) -> None:
    with pytest.raises(RuntimeError, match="has joined already"):
        roster.join("b", "a1")
    assert "b" not in roster


# Leaving.


def test_the_last_connection_leaving_for_good_is_a_leave(roster: Roster) -> None:
    assert roster.leave("a1", LEAVE, now=0) == Diff(leaves=["a"])
    assert roster.members() == []
    assert roster.counts() == (0, 0)
    assert roster.deadline() is None


def test_one_of_two_tabs_leaving_for_good_is_no_leave(roster: Roster) -> None:
    roster.join("a", "a2")
    assert roster.leave("a1", LEAVE, now=0) == Diff(updates=[Member("a", "Ada", {})])
    assert roster.deadline() is None


def test_of_three_tabs_the_last_one_to_go_decides_the_grace(roster: Roster) -> None:
    roster.join("a", "a2")
    roster.join("a", "a3")
    roster.leave("a1", LOST, now=0)
    roster.leave("a3", RELOAD, now=1)
    assert roster.leave("a2", LEAVE, now=2) == Diff(leaves=["a"])


def test_leaving_twice_changes_nothing(roster: Roster) -> None:
    roster.leave("a1", LOST, now=0)
    assert not roster.leave("a1", LEAVE, now=1)
    assert not roster.leave("never seen", LOST, now=1)
    assert "a" in roster


@pytest.mark.parametrize(
    ("code", "departure"),
    [
        (1000, LEAVE),
        (1001, RELOAD),
        (4400, LEAVE),
        (4403, LEAVE),
        (4499, LEAVE),
        (1005, LOST),  # what uvicorn reports for a cable that was pulled
        (1006, LOST),
        (1009, LOST),
        (1011, LOST),
        (1012, LOST),
        (4399, LOST),
        (4503, LOST),
        (4508, LOST),
        (None, LOST),
    ],
)
def test_the_close_code_tells_the_cause(code: int | None, departure: Departure) -> None:
    assert Departure.of(code) is departure


# A reload.


def test_a_reload_shows_nothing(roster: Roster) -> None:
    before = roster.members()
    assert not roster.leave("a1", RELOAD, now=0)
    assert roster.members() == before
    assert roster.counts() == (1, 1)
    assert not roster.join("a", "a2", name="Ada")
    assert roster.members() == before
    assert roster.deadline() is None


def test_who_does_not_come_back_from_a_reload_leaves_after_3_seconds(roster: Roster) -> None:
    roster.leave("a1", RELOAD, now=100)
    assert roster.deadline() == 103
    assert not roster.expire(now=102.9)
    assert roster.expire(now=103) == Diff(leaves=["a"])
    assert roster.counts() == (0, 0)


# A lost connection.


def test_who_is_lost_is_shown_as_away_without_a_connection(roster: Roster) -> None:
    away = Member("a", "Ada", {}, connections=0, away=True)
    assert roster.leave("a1", LOST, now=0) == Diff(updates=[away])
    assert roster.members() == [away]
    assert roster.counts() == (1, 0)


def test_who_is_back_within_15_seconds_neither_leaves_nor_joins(roster: Roster) -> None:
    roster.leave("a1", LOST, now=0)
    assert roster.join("a", "a2") == Diff(updates=[Member("a", "Ada", {})])
    assert roster.deadline() is None
    assert not roster.expire(now=1000)


def test_who_stays_lost_leaves_after_15_seconds_once(roster: Roster) -> None:
    roster.leave("a1", LOST, now=100)
    assert roster.deadline() == 115
    assert not roster.expire(now=114.9)
    assert roster.expire(now=115) == Diff(leaves=["a"])
    assert not roster.expire(now=115)


def test_each_loss_starts_the_grace_anew(roster: Roster) -> None:
    roster.leave("a1", LOST, now=0)
    roster.join("a", "a2")
    roster.leave("a2", LOST, now=10)
    assert not roster.expire(now=20)
    assert roster.deadline() == 25


def test_who_comes_back_late_but_before_anybody_was_told_never_left(roster: Roster) -> None:
    roster.leave("a1", LOST, now=0)
    assert roster.join("a", "a2") == Diff(updates=[Member("a", "Ada", {})])


def test_the_deadline_is_the_earliest_of_all_graces(roster: Roster) -> None:
    roster.join("b", "b1")
    roster.join("c", "c1")
    roster.leave("a1", LOST, now=0)
    roster.leave("b1", LOST, now=1)
    roster.leave("c1", RELOAD, now=2)
    assert roster.deadline() == 5
    assert sorted(roster.expire(now=15).leaves) == ["a", "c"]
    assert roster.deadline() == 16


@pytest.mark.parametrize("departure", [LOST, RELOAD])
def test_without_a_grace_every_end_is_a_leave_at_once(departure: Departure) -> None:
    roster = Roster(grace=0, grace_reload=0, state_size=STATE_SIZE)
    roster.join("a", "a1")
    assert roster.leave("a1", departure, now=0) == Diff(leaves=["a"])
    assert roster.deadline() is None


# Names.


def test_who_gives_no_name_gets_a_friendly_one() -> None:
    roster = new_roster()
    roster.join("a", "a1")
    assert [member.name for member in roster.members()] == [friendly_name("a")]


def test_two_adas_are_ada_and_ada_2(roster: Roster) -> None:
    assert [member.name for member in roster.join("b", "b1", name="ada").joins] == ["ada 2"]


def test_the_name_of_who_is_lost_is_still_taken(roster: Roster) -> None:
    roster.leave("a1", LOST, now=0)
    assert roster.join("b", "b1", name="Ada").joins[0].name == "Ada 2"


def test_the_name_of_who_has_left_is_free(roster: Roster) -> None:
    roster.leave("a1", LEAVE, now=0)
    assert roster.join("b", "b1", name="Ada").joins[0].name == "Ada"


def test_who_comes_back_without_a_name_keeps_the_old_one(roster: Roster) -> None:
    roster.leave("a1", LOST, now=0)
    assert roster.join("a", "a2").updates[0].name == "Ada"


def test_who_comes_back_with_another_name_gets_it(roster: Roster) -> None:
    roster.leave("a1", RELOAD, now=0)
    assert roster.join("a", "a2", name="Lovelace") == Diff(updates=[Member("a", "Lovelace", {})])
    assert roster.join("b", "b1", name="Ada").joins[0].name == "Ada"


def test_who_comes_back_as_ada_2_stays_ada_2_even_when_ada_has_left(roster: Roster) -> None:
    roster.join("b", "b1", name="Ada")
    roster.leave("a1", LEAVE, now=0)
    roster.leave("b1", RELOAD, now=0)
    assert not roster.join("b", "b2", name="Ada")
    assert roster.members()[0].name == "Ada 2"


def test_a_new_name_is_shown_as_an_update(roster: Roster) -> None:
    assert roster.rename("a", "Lovelace") == Diff(updates=[Member("a", "Lovelace", {})])


def test_a_name_asked_for_again_is_given_when_it_has_become_free(roster: Roster) -> None:
    roster.join("b", "b1", name="Ada")
    assert not roster.rename("b", "Ada")
    roster.rename("a", "Lovelace")
    assert roster.rename("b", "Ada").updates[0].name == "Ada"


def test_ones_own_name_may_change_its_case(roster: Roster) -> None:
    assert roster.rename("a", "ADA").updates[0].name == "ADA"


# State.


def test_a_patch_sets_and_null_deletes(roster: Roster) -> None:
    roster.update("a", {"hand": "up", "cursor": {"x": 1, "y": 2}})
    diff = roster.update("a", {"hand": None, "cursor": {"y": 3}})
    assert diff == Diff(updates=[Member("a", "Ada", {"cursor": {"x": 1, "y": 3}})])


def test_a_patch_that_changes_nothing_is_no_news(roster: Roster) -> None:
    roster.update("a", {"hand": "up"})
    assert not roster.update("a", {"hand": "up", "nothing": None})


def test_true_instead_of_1_is_news(roster: Roster) -> None:
    roster.update("a", {"hand": 1})
    assert roster.update("a", {"hand": True}).updates[0].state["hand"] is True


def test_a_state_of_the_full_size_is_kept_and_one_byte_more_is_refused(roster: Roster) -> None:
    fits = "é" * 46  # 2 bytes each, and {"k":""} around them
    roster.update("a", {"k": fits})
    with pytest.raises(StateRefused, match="101 bytes, the limit is 100"):
        roster.update("a", {"k": fits + "x"})
    assert roster.members() == [Member("a", "Ada", {"k": fits})]


def test_a_big_patch_that_leaves_a_small_state_is_accepted(roster: Roster) -> None:
    assert not roster.update("a", {f"key {number}": None for number in range(100)})


def test_what_cannot_be_sent_is_our_bug_and_leaves_the_state(roster: Roster) -> None:
    with pytest.raises(TypeError):
        roster.update("a", {"k": object()})
    assert roster.members() == [Member("a", "Ada", {})]


def test_the_state_survives_a_lost_connection_and_not_a_leave(roster: Roster) -> None:
    roster.update("a", {"hand": "up"})
    assert roster.leave("a1", LOST, now=0).updates[0].state == {"hand": "up"}
    assert roster.join("a", "a2").updates[0].state == {"hand": "up"}
    roster.leave("a2", LEAVE, now=1)
    assert roster.join("a", "a3").joins[0].state == {}


def test_updating_or_renaming_who_is_not_here_is_our_bug(roster: Roster) -> None:
    with pytest.raises(KeyError):
        roster.update("b", {})
    with pytest.raises(KeyError):
        roster.rename("b", "Bob")


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_merge_patches_of_rfc_7396_appendix_a(
    target: Any, patch: dict[str, Any], result: dict[str, Any]
) -> None:
    assert merge_patch(target, patch) == result


# Diffs.


def test_a_diff_that_was_given_out_does_not_change_later(roster: Roster) -> None:
    patch = {"deep": {"list": [1]}}
    diff = roster.update("a", patch)
    snapshot = roster.members()
    patch["deep"]["list"].append(2)
    roster.update("a", {"deep": {"list": [3], "x": 1}})
    roster.rename("a", "Lovelace")
    roster.join("a", "a2")
    assert diff.updates == snapshot == [Member("a", "Ada", {"deep": {"list": [1]}})]


ADA, LOVELACE = Member("a", "Ada", {}), Member("a", "Lovelace", {})


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (Diff(joins=[ADA]), Diff(updates=[LOVELACE]), Diff(joins=[LOVELACE])),
        (Diff(updates=[ADA]), Diff(updates=[LOVELACE]), Diff(updates=[LOVELACE])),
        (Diff(updates=[ADA]), Diff(leaves=["a"]), Diff(leaves=["a"])),
        (Diff(leaves=["a"]), Diff(joins=[ADA]), Diff(updates=[ADA])),
        (Diff(joins=[ADA]), Diff(leaves=["a"]), Diff(leaves=["a"])),
        (Diff(), Diff(joins=[ADA]), Diff(joins=[ADA])),
        (Diff(leaves=["a"]), Diff(), Diff(leaves=["a"])),
    ],
)
def test_two_diffs_make_one(first: Diff, second: Diff, both: Diff) -> None:
    assert first.then(second) == both


def test_who_came_went_and_came_is_a_join() -> None:
    diffs = [Diff(joins=[ADA]), Diff(leaves=["a"]), Diff(joins=[LOVELACE])]
    assert Diff.of(diffs) == Diff(joins=[LOVELACE])


def test_a_newcomer_sees_no_ghost_of_who_left_before_the_next_diff(roster: Roster) -> None:
    pending = [roster.join("b", "b1")]
    newcomers_view = {member.id: member for member in roster.members()}
    pending.append(roster.leave("b1", LEAVE, now=0))
    assert apply(Diff.of(pending), newcomers_view).keys() == {"a"}


def test_only_an_empty_diff_is_falsy() -> None:
    assert not Diff()
    assert Diff(joins=[ADA])
    assert Diff(updates=[ADA])
    assert Diff(leaves=["a"])


def test_each_diff_that_goes_out_has_the_next_number(roster: Roster) -> None:
    assert roster.seq == 0
    assert [roster.emitted(), roster.emitted()] == [1, 2]
    assert roster.seq == 2


members = st.builds(Member, st.sampled_from("abc"), st.sampled_from(["Ada", "Bob"]), st.just({}))


@st.composite
def diffs(draw: st.DrawFn) -> Diff:
    kinds = draw(st.lists(st.tuples(members, st.sampled_from("jul")), unique_by=lambda x: x[0].id))
    return Diff(
        joins=[member for member, kind in kinds if kind == "j"],
        updates=[member for member, kind in kinds if kind == "u"],
        leaves=[member.id for member, kind in kinds if kind == "l"],
    )


@given(st.lists(diffs(), max_size=5), st.lists(members, unique_by=lambda member: member.id))
def test_one_diff_for_all_does_to_any_view_what_each_in_turn_does(
    several: list[Diff], start: list[Member]
) -> None:
    in_turn = at_once = {member.id: member for member in start}
    folded = Diff()
    for diff in several:
        in_turn = apply(diff, in_turn)
        folded = folded.then(diff)
    assert apply(Diff.of(several), at_once) == apply(folded, at_once) == in_turn


# Many.


def test_a_thousand_who_are_lost_at_once_leave_in_one_diff() -> None:
    roster = new_roster()
    for number in range(1000):
        roster.join(f"{number}", number, name="Ada")
    for number in range(1000):
        roster.leave(number, LOST, now=number / 1000)
    for number in range(0, 1000, 2):
        roster.join(f"{number}", number)
    assert roster.counts() == (1000, 500)
    assert roster.deadline() == GRACE + 0.001
    assert set(roster.expire(now=100).leaves) == {f"{number}" for number in range(1, 1000, 2)}
    assert roster.counts() == (500, 500)


def test_nothing_is_remembered_of_who_has_left(roster: Roster) -> None:
    roster.join("b", "b1", name="Ada")
    roster.update("a", {"hand": "up"})
    roster.leave("a1", LOST, now=0)
    roster.leave("b1", RELOAD, now=0)
    roster.join("b", "b2", name="Bob")
    roster.leave("b2", LEAVE, now=1)
    roster.expire(now=GRACE)
    empty = new_roster()
    kept, names = vars(roster), vars(roster._names)
    assert kept == {**vars(empty), "_names": kept["_names"]}
    assert names == vars(empty._names)


# All the stories.


def rfc_7396(target: Any, patch: Any) -> Any:
    """The pseudocode of section 2, word for word."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is not None:
            target[name] = rfc_7396(target.get(name), value)
        elif name in target:
            del target[name]
    return target


class Person:
    """A member as the simplest model has it."""

    def __init__(self) -> None:
        self.name = self.wanted = ""
        self.state: Any = {}
        self.tabs: set[int] = set()
        self.cause: Departure | None = None
        self.until = 0.0

    def shown(self) -> tuple[str, bytes, int, bool]:
        tabs = 1 if self.cause is RELOAD else len(self.tabs)
        return self.name, msgspec.json.encode(self.state), tabs, self.cause is LOST


def shown(member: Member) -> tuple[str, bytes, int, bool]:
    # As JSON, since Python holds 1, 1.0 and True for equal.
    return member.name, msgspec.json.encode(member.state), member.connections, member.away


ids = st.sampled_from("abcd")
names = st.sampled_from(["Ada", "ada", "Ada 2", "Bob", "x" * 64])
values = st.sampled_from(
    [None, 0, 1, True, 1.0, "up", [None], {"x": None}, {"x": 1, "y": {"z": 2}}]
)
patches = st.dictionaries(st.sampled_from(["hand", "cursor", "x" * 40]), values, max_size=2)


class AnyStory(RuleBasedStateMachine):
    """The roster, a model of it, and observers who know only what the diffs say."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = new_roster()
        self.model: dict[str, Person] = {}
        self.now = 0.0
        self.next_tab = 0
        self.prompt: View = {}  # gets each diff at once
        self.patient: list[View] = [{}]  # get one diff for many
        self.pending: list[Diff] = []

    def tell(self, diff: Diff, *, joins: str = "", updates: str = "", leaves: str = "") -> None:
        """The diff has to be about those, or be empty."""
        if diff:
            assert [member.id for member in diff.joins] == list(joins)
            assert [member.id for member in diff.updates] == list(updates)
            assert sorted(diff.leaves) == sorted(leaves)
            before = {key: shown(member) for key, member in self.prompt.items()}
            self.prompt = apply(diff, self.prompt)
            assert before != {key: shown(member) for key, member in self.prompt.items()}
        self.pending.append(diff)

    def take_name(self, person: Person, wanted: str, got: str) -> None:
        """Which number a name gets is the roster's choice, but only if the name is taken."""
        others = {name_key(other.name) for other in self.model.values() if other is not person}
        if name_key(wanted) not in others:
            assert got == wanted
        else:
            base, _, number = got.rpartition(" ")
            assert number.isdigit()
            assert wanted.startswith(base)
        person.name, person.wanted = got, wanted

    @rule(member_id=ids, name=st.none() | names)
    def join(self, member_id: str, name: str | None) -> None:
        self.next_tab += 1
        diff = self.roster.join(member_id, self.next_tab, name=name)
        member, person = self.roster.get(member_id), self.model.get(member_id)
        assert member
        if person is None:
            assert diff
            self.tell(diff, joins=member_id)
            person = self.model[member_id] = Person()
            self.take_name(person, name or friendly_name(member_id), member.name)
        else:
            self.tell(diff, updates=member_id)
            if name and name != person.wanted:
                self.take_name(person, name, member.name)
        person.tabs.add(self.next_tab)
        person.cause = None

    @precondition(lambda self: any(person.tabs for person in self.model.values()))
    @rule(data=st.data(), departure=st.sampled_from(Departure))
    def leave(self, data: st.DataObject, departure: Departure) -> None:
        tabs = [(tab, key) for key, person in self.model.items() for tab in sorted(person.tabs)]
        tab, member_id = data.draw(st.sampled_from(tabs))
        person = self.model[member_id]
        diff = self.roster.leave(tab, departure, now=self.now)
        person.tabs.remove(tab)
        if not person.tabs and departure is LEAVE:
            del self.model[member_id]
            self.tell(diff, leaves=member_id)
            return
        if not person.tabs:
            person.cause = departure
            person.until = self.now + (GRACE if departure is LOST else GRACE_RELOAD)
        self.tell(diff, updates=member_id)

    @rule(tab=st.integers(min_value=-1, max_value=0), departure=st.sampled_from(Departure))
    def leave_as_nobody(self, tab: int, departure: Departure) -> None:
        assert not self.roster.leave(tab, departure, now=self.now)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), patch=patches)
    def update(self, data: st.DataObject, patch: dict[str, Any]) -> None:
        member_id = data.draw(st.sampled_from(sorted(self.model)))
        person = self.model[member_id]
        state = rfc_7396(person.state, patch)
        if len(msgspec.json.encode(state)) > STATE_SIZE:
            with pytest.raises(StateRefused):
                self.roster.update(member_id, patch)
            return
        person.state = state
        self.tell(self.roster.update(member_id, patch), updates=member_id)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), name=names)
    def rename(self, data: st.DataObject, name: str) -> None:
        member_id = data.draw(st.sampled_from(sorted(self.model)))
        diff = self.roster.rename(member_id, name)
        self.tell(diff, updates=member_id)
        got = diff.updates[0].name if diff else self.model[member_id].name
        self.take_name(self.model[member_id], name, got)

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.5, 3.0, 15.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def expire(self) -> None:
        over = [key for key, p in self.model.items() if p.cause and p.until <= self.now]
        diff = self.roster.expire(now=self.now)
        assert bool(diff) == bool(over)
        self.tell(diff, leaves="".join(over))
        for member_id in over:
            del self.model[member_id]

    @rule()
    def newcomer(self) -> None:
        """Takes a snapshot, often between two diffs."""
        self.patient.append({member.id: member for member in self.roster.members()})

    @rule()
    def send(self) -> None:
        together, self.pending = Diff.of(self.pending), []
        changed = [m.id for m in (*together.joins, *together.updates)] + together.leaves
        assert len(changed) == len(set(changed))
        for view in self.patient:
            after = apply(together, view)
            assert {key: shown(m) for key, m in after.items()} == self.expected()
        self.patient = [apply(together, self.patient[0])]

    def expected(self) -> dict[str, tuple[str, bytes, int, bool]]:
        return {key: person.shown() for key, person in self.model.items()}

    @invariant()
    def everybody_sees_the_same(self) -> None:
        roster = {member.id: shown(member) for member in self.roster.members()}
        assert roster == self.expected()
        assert roster == {key: shown(member) for key, member in self.prompt.items()}

    @invariant()
    def the_counts_are_the_sums(self) -> None:
        tabs = sum(member.connections for member in self.prompt.values())
        assert self.roster.counts() == (len(self.prompt), tabs)
        assert len(self.roster) == len(self.model)

    @invariant()
    def names_are_unique(self) -> None:
        assert len({name_key(person.name) for person in self.model.values()}) == len(self.model)

    @invariant()
    def the_deadline_is_the_next_grace_to_end(self) -> None:
        ends = [person.until for person in self.model.values() if person.cause]
        assert self.roster.deadline() == min(ends, default=None)

    @invariant()
    def away_means_without_a_connection(self) -> None:
        assert all(member.away == (member.connections == 0) for member in self.roster.members())


TestAnyStory = AnyStory.TestCase
TestAnyStory.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
