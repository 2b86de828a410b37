"""The ring of a room: as a story first, then against a naive model. The clock is a number."""

import tracemalloc

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime.history import Entry, History, Kept


def text(offset: int) -> bytes:
    return f'{{"offset":{offset}}}'.encode()


def filled(count: int, *, size: int = 100, age: float = 60, now: float = 0) -> History:
    history = History(size=size, age=age)
    for _ in range(count):
        history.append(text, now=now)
    return history


def offsets(entries: list[Entry]) -> list[int]:
    return [entry.offset for entry in entries]


def found_at(history: History, member: str, ref: str | int) -> int | None:
    entries = history.find(member, ref)
    return entries[-1].offset if entries else None


def test_it_knows_about_how_much_memory_it_takes() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        history = History(size=1000, age=9999)
        for number in range(1000):
            key, source = (f"m-{number % 9} ", f"ref-{number}"), (f"specific.{number}", False)
            history.append(lambda offset: b"x" * 100, now=float(number), key=key, source=source)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.8 < (after - before) / history.weight < 1.25


def test_it_shrinks_by_its_oldest_to_a_weight() -> None:
    history = filled(10)
    history.shrink(history.weight * 55 // 100)
    assert offsets(history.recent(10, now=0)) == [6, 7, 8, 9, 10]
    history.shrink(0)
    assert (len(history), history.weight, history.offset) == (0, 0, 10)
    assert not history.resume(history.epoch, 9, now=0).recovered


# Appending


def test_offsets_rise_by_one_from_one() -> None:
    history = filled(0)
    assert history.offset == 0
    assert [history.append(text, now=0).offset for _ in range(3)] == [1, 2, 3]


def test_a_message_is_encoded_once_with_the_offset_it_gets() -> None:
    calls: list[int] = []

    def encode(offset: int) -> bytes:
        calls.append(offset)
        return text(offset)

    history = filled(2)
    entry = history.append(encode, now=0)
    assert entry.text == b'{"offset":3}'
    assert history.recent(1, now=0)[0].text is entry.text
    assert calls == [3]


def test_a_message_that_cannot_be_encoded_leaves_no_hole() -> None:
    history = filled(1)
    with pytest.raises(ZeroDivisionError):
        history.append(lambda offset: b"%d" % (offset // 0), now=0, key=("ada", 1))
    assert history.append(text, now=0).offset == 2
    assert history.find("ada", 1) == []


def test_the_ring_keeps_the_newest_up_to_its_size() -> None:
    assert offsets(filled(5, size=3).recent(100, now=0)) == [3, 4, 5]


def test_the_ring_keeps_no_more_bytes_than_it_may() -> None:
    history = History(size=100, age=60, max_bytes=25)
    for _ in range(5):
        history.append(lambda _: b"0123456789", now=0)
    assert offsets(history.recent(100, now=0)) == [4, 5]


def test_a_message_larger_than_the_ring_is_numbered_but_not_held() -> None:
    history = History(size=100, age=60, max_bytes=5)
    assert history.append(lambda _: b"0123456789", now=0).offset == 1
    assert len(history) == 0
    assert history.append(lambda _: b"12345", now=0).offset == 2
    assert len(history) == 1


def test_nothing_is_held_longer_than_its_age() -> None:
    history = filled(1, age=60, now=0)
    history.append(text, now=30)
    assert offsets(history.recent(9, now=59.9)) == [1, 2]
    assert offsets(history.recent(9, now=60)) == [2]


def test_an_idle_room_can_be_told_to_let_go() -> None:
    history = filled(5, age=60)
    history.expire(now=61)
    assert len(history) == 0


# Recent


def test_recent_one_is_the_latest_value() -> None:
    assert offsets(filled(5).recent(1, now=0)) == [5]


@pytest.mark.parametrize("count", [0, -1])
def test_recent_none_is_none(count: int) -> None:
    assert filled(5).recent(count, now=0) == []


# Resuming


@pytest.mark.parametrize(
    ("offset", "missed"),
    [(5, []), (4, [5]), (3, [4, 5]), (2, [3, 4, 5])],
    ids=["up to date", "one behind", "two behind", "just before the oldest"],
)
def test_a_resume_within_the_ring_gets_all_that_was_missed(offset: int, missed: list[int]) -> None:
    history = filled(5, size=3)
    recovered, entries = history.resume(history.epoch, offset, now=0)
    assert recovered
    assert offsets(entries) == missed


@pytest.mark.parametrize(
    "offset", [1, 0, -1, 6], ids=["one lost", "two lost", "negative", "ahead of us"]
)
def test_a_resume_that_cannot_be_whole_gets_the_recent_ones(offset: int) -> None:
    history = filled(5, size=3)
    recovered, entries = history.resume(history.epoch, offset, now=0)
    assert not recovered
    assert offsets(entries) == [3, 4, 5]


def test_a_resume_of_another_epoch_is_not_recovered_though_the_offset_fits() -> None:
    assert not filled(5).resume("another", 4, now=0).recovered


def test_after_a_gap_the_caller_may_ask_for_fewer() -> None:
    assert offsets(filled(5).resume("another", 4, now=0, recent=2).entries) == [4, 5]
    assert filled(5).resume("another", 4, now=0, recent=0).entries == []


def test_who_joined_before_the_first_message_misses_none() -> None:
    history = filled(3)
    assert offsets(history.resume(history.epoch, 0, now=0).entries) == [1, 2, 3]


def test_an_empty_room_recovers_a_client_who_saw_nothing() -> None:
    history = filled(0)
    assert history.resume(history.epoch, 0, now=0) == (True, [])


def test_all_expired_is_recovered_for_who_was_up_to_date() -> None:
    history = filled(5, age=60)
    assert history.resume(history.epoch, 5, now=1000) == (True, [])


def test_all_expired_is_a_gap_for_who_was_not() -> None:
    history = filled(5, age=60)
    assert history.resume(history.epoch, 4, now=1000) == (False, [])


def test_with_history_off_only_who_was_up_to_date_recovers() -> None:
    history = filled(5, size=0)
    assert history.resume(history.epoch, 5, now=0) == (True, [])
    assert history.resume(history.epoch, 4, now=0) == (False, [])


def test_a_room_made_anew_has_another_epoch() -> None:
    assert filled(0).epoch != filled(0).epoch


# Repeated refs


def test_a_ref_is_known_to_its_member_only() -> None:
    history = filled(1)
    history.append(text, now=0, key=("ada", 7))
    assert found_at(history, "ada", 7) == 2
    assert history.find("bob", 7) == []
    assert history.find("ada", "7") == []


def test_a_ref_is_forgotten_with_its_message() -> None:
    history = filled(0, size=2)
    history.append(text, now=0, key=("ada", 7))
    history.append(text, now=0)
    history.append(text, now=0)
    assert history.find("ada", 7) == []


def test_a_ref_used_again_stands_for_all_that_are_held() -> None:
    history = filled(0, size=2)
    for _ in range(3):
        history.append(text, now=0, key=("ada", 7))
    assert offsets(history.find("ada", 7)) == [2, 3]
    history.append(text, now=0)
    assert offsets(history.find("ada", 7)) == [3]


# Snapshots


def restored(kept: Kept, *, size: int = 100, now: float = 0) -> History:
    return History.restore(kept, size=size, age=60, now=now)


def test_a_client_recovers_across_a_restart() -> None:
    old = filled(3)
    old.append(lambda _: '"é"'.encode(), now=0, key=("ada", "a-1"))
    new = restored(old.kept(now=0))
    recovered, entries = new.resume(old.epoch, 2, now=0)
    assert recovered
    assert [entry.text for entry in entries] == [b'{"offset":3}', '"é"'.encode()]
    assert found_at(new, "ada", "a-1") == 4
    assert new.append(text, now=0).offset == 5


def test_without_its_epoch_it_is_another_with_the_same_messages() -> None:
    old = filled(3)
    new = restored(old.kept(now=0)._replace(epoch=""))
    assert new.epoch not in ("", old.epoch)
    recovered, entries = new.resume(old.epoch, 2, now=0)
    assert (recovered, offsets(entries)) == (False, [1, 2, 3])


def test_what_is_too_old_is_not_kept() -> None:
    assert filled(1, now=1000).kept(now=1059.9).entries
    assert not filled(1, now=1000).kept(now=1060).entries


def test_a_snapshot_of_a_drained_room_keeps_its_place() -> None:
    old = filled(5)
    new = restored(old.kept(now=1000))
    assert new.resume(old.epoch, 5, now=0) == (True, [])
    assert new.offset == 5


def test_a_restore_keeps_to_the_bounds_of_today() -> None:
    assert offsets(restored(filled(5).kept(now=0), size=2).recent(9, now=0)) == [4, 5]
    assert offsets(restored(filled(5).kept(now=0), now=60).recent(9, now=60)) == []


# Against a model: everything that was ever appended, with its time


class HistoryMachine(RuleBasedStateMachine):
    SIZE, AGE, BYTES = 5, 10.0, 60

    def __init__(self) -> None:
        super().__init__()
        self.history = History(size=self.SIZE, age=self.AGE, max_bytes=self.BYTES)
        self.now = 0.0
        self.ever: list[tuple[float, bytes, tuple[str, int] | None]] = []
        self.lost = 0  # the newest offset that any look at the model found gone

    def held(self) -> list[int]:
        """Walk back from the newest while it is young and there is room."""
        found: list[int] = []
        room = self.BYTES
        for offset in range(len(self.ever), self.lost, -1):
            at, body, _ = self.ever[offset - 1]
            room -= len(body)
            if room < 0 or len(found) == self.SIZE or self.now - at >= self.AGE:
                break
            found.insert(0, offset)
        self.lost = len(self.ever) - len(found)
        return found

    @rule(length=st.integers(0, 70), key=st.none() | st.tuples(st.sampled_from("ab"), st.just(1)))
    def append(self, length: int, key: tuple[str, int] | None) -> None:
        self.ever.append((self.now, bytes(length), key))
        entry = self.history.append(lambda _: bytes(length), now=self.now, key=key)
        assert entry == Entry(len(self.ever), self.now, bytes(length), key)

    @rule(seconds=st.sampled_from([0.0, 1.0, 4.0, 9.0, 10.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(back=st.integers(-2, 9), recent=st.none() | st.integers(0, 7))
    def resume(self, back: int, recent: int | None) -> None:
        held, offset = self.held(), len(self.ever) - back
        recovered, entries = self.history.resume(
            self.history.epoch, offset, now=self.now, recent=recent
        )
        missed = list(range(offset + 1, len(self.ever) + 1))
        assert recovered == (0 <= offset <= len(self.ever) and set(missed) <= set(held))
        kept = len(held) if recent is None else min(recent, len(held))
        assert offsets(entries) == (missed if recovered else held[len(held) - kept :])

    @rule(after=st.floats(0, 1000))
    def restart(self, after: float) -> None:
        kept = self.history.kept(self.now)
        self.now += after
        self.history = History.restore(
            kept, size=self.SIZE, age=self.AGE, max_bytes=self.BYTES, now=self.now
        )
        self.held()

    @invariant()
    def what_is_held_is_what_the_model_holds(self) -> None:
        held = self.held()
        assert offsets(self.history.recent(100, now=self.now)) == held
        for member in "ab":
            mine = [offset for offset in held if self.ever[offset - 1][2] == (member, 1)]
            assert found_at(self.history, member, 1) == (mine[-1] if mine else None)


TestAgainstTheModel = HistoryMachine.TestCase
TestAgainstTheModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
