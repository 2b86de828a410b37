"""What a snapshot says: nothing is lost on the way, and whatever is no snapshot is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import snapshot
from realtime.history import Entry, History, Kept
from realtime.snapshot import CLOCK_IS_SET, Damaged, Moment, Snapshot, elapsed

SAVED = Moment(wall=CLOCK_IS_SET + 1000, uptime=500.0, boot="first")


def said(*texts: bytes, at: float = 100.0, epoch: str = "e") -> Kept:
    return Kept(epoch, len(texts), tuple(Entry(n, at, t, None) for n, t in enumerate(texts, 1)))


def written(
    rooms: dict[str, Kept],
    notes: dict[str, Any] | None = None,
    *,
    stopped: bool = True,
    **options: Any,
) -> bytes:
    given: dict[str, Any] = {"saved": SAVED, "clock": 100.0, **options}
    return b"".join(snapshot.encode(rooms, notes or {}, stopped=stopped, **given))


def read(text: bytes, *, now: Moment = SAVED, clock: float = 100.0) -> Snapshot:
    return snapshot.decode(text, now=now, clock=clock)


def epochs(text: bytes, now: Moment = SAVED) -> dict[str, str]:
    return {name: kept.epoch for name, kept in read(text, now=now).rooms.items()}


# What comes back


def test_rooms_messages_keys_and_notes_come_back() -> None:
    entries = (
        Entry(7, 98.0, b'{"offset":7,"data":"\xc3\xa9\\n"}', None),
        Entry(8, 99.0, b'{"offset":8}', ("ada", "page-1")),
        Entry(9, 99.5, b'{"offset":9}', ("bob", -3)),
    )
    rooms = {"kitchen": Kept("e1", 9, entries), "\u2028 den": Kept("e2", 0, ())}
    found = read(written(rooms, {"screens": ["hall"]}))
    assert found == (rooms, {"screens": ["hall"]})


@given(
    ages=st.lists(st.floats(0, 1e6), max_size=5),
    room=st.text(min_size=1, max_size=64, alphabet=st.characters(exclude_categories=["Cs"])),
    data=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
)
def test_any_history_comes_back(ages: list[float], room: str, data: str) -> None:
    history = History(size=10, age=1e9)
    for age in sorted(ages, reverse=True):
        history.append(lambda n: snapshot._encoder.encode([n, data]), now=-age, key=("a", 1))
    kept = history.kept(0.0)
    found = read(written({room: kept}, clock=0.0), clock=0.0).rooms[room]
    assert [e.text for e in found.entries] == [e.text for e in kept.entries]
    assert [e.key for e in found.entries] == [e.key for e in kept.entries]
    assert [e.at for e in found.entries] == pytest.approx([e.at for e in kept.entries], abs=0.001)
    assert (found.epoch, found.offset) == (kept.epoch, kept.offset)


def test_a_file_keeps_to_its_bound_and_every_room_keeps_its_place() -> None:
    large = b'"%s"' % (b"x" * 1000)
    rooms = {f"room {n}": said(large, large, epoch=f"e{n}") for n in range(5)}
    text = written(rooms, max_bytes=5000)
    assert len(text) < 5000 + 5 * 100 + 500
    found = read(text).rooms
    assert [len(kept.entries) for kept in found.values()] == [2, 2, 0, 0, 0]
    assert [(kept.epoch, kept.offset) for kept in found.values()] == [
        (f"e{n}", 2) for n in range(5)
    ]


# Epochs


def marked(text: bytes, room: int) -> bytes:
    place = snapshot.mark_at(text.partition(b"\n")[0] + b"\n", room)
    return text[:place] + snapshot.SPOKEN + text[place + 1 :]


def test_after_a_stop_epochs_go_on_over_boots_too() -> None:
    text = written({"a": said(b"1")}, stopped=True)
    assert epochs(text, SAVED) == {"a": "e"}
    assert epochs(text, SAVED._replace(boot="second")) == {"a": "e"}


def test_after_a_kill_the_rooms_that_had_not_spoken_since_go_on() -> None:
    rooms = {"a": said(b"1", epoch="ea"), "b": said(b"1", epoch="eb"), "c": said(b"1", epoch="ec")}
    text = marked(written(rooms, stopped=False), 1)
    assert epochs(text) == {"a": "ea", "b": "", "c": "ec"}
    assert len(read(text).rooms["b"].entries) == 1


@pytest.mark.parametrize("boots", [("first", "second"), ("", "")], ids=["another boot", "unknown"])
def test_after_a_power_cut_no_mark_is_believed(boots: tuple[str, str]) -> None:
    text = written({"a": said(b"1")}, saved=SAVED._replace(boot=boots[0]), stopped=False)
    assert epochs(text, SAVED._replace(boot=boots[1])) == {"a": ""}


def test_who_speaks_while_the_last_word_is_written_has_a_mark_that_counts() -> None:
    assert epochs(marked(written({"a": said(b"1")}, stopped=True), 0)) == {"a": ""}


# Time


@pytest.mark.parametrize(
    ("saved", "now", "seconds"),
    [
        (SAVED, SAVED._replace(uptime=530.0), 30.0),
        (SAVED, SAVED._replace(uptime=530.0, wall=0.0), 30.0),
        (SAVED, SAVED._replace(uptime=530.0, wall=SAVED.wall + 9e9), 30.0),
        (SAVED, Moment(SAVED.wall + 45, 3.0, "second"), 45.0),
        (SAVED, Moment(0.0, 3.0, "second"), 0.0),
        (Moment(60.0, 60.0, "first"), Moment(SAVED.wall, 3.0, "second"), 0.0),
        (Moment(60.0, 60.0, "first"), Moment(70.0, 3.0, "second"), 0.0),
        (SAVED._replace(boot=""), Moment(SAVED.wall + 45, 1e6, ""), 45.0),
    ],
    ids=[
        "same boot",
        "same boot, the clock fell back",
        "same boot, the clock leapt ahead",
        "another boot",
        "another boot, in 1970",
        "saved in 1970, and then a time server was found",
        "both in 1970",
        "no boots known",
    ],
)
def test_how_long_a_restart_took(saved: Moment, now: Moment, seconds: float) -> None:
    assert elapsed(saved, now) == seconds


def test_messages_age_over_a_restart() -> None:
    text = written({"a": said(b"1", at=70.0)})  # 30 s old
    found = read(text, now=SAVED._replace(uptime=SAVED.uptime + 20), clock=7.0)
    assert found.rooms["a"].entries[0].at == 7.0 - 50.0


def test_with_a_clock_that_is_always_wrong_messages_still_expire() -> None:
    """Ten starts in 1970, each with ten minutes of uptime: an hour is over after six."""
    history, clock, starts = History(size=9, age=3600), 0.0, 0
    history.append(lambda _: b"1", now=clock)
    while len(history):
        clock += 600
        in_1970 = Moment(clock, clock, f"boot {starts}")
        text = written({"a": history.kept(clock)}, saved=in_1970, clock=clock)
        starts, clock = starts + 1, 0.0
        found = read(text, now=Moment(5.0, 5.0, f"boot {starts}"), clock=clock).rooms["a"]
        history = History.restore(found, size=9, age=3600, now=clock)
    assert starts == 6


# What is no snapshot

GOOD = written({"a": said(b'"one"', b'"two"'), "b": said(b"1")}, {"note": 1})


def test_a_file_that_is_cut_anywhere_is_refused() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(Damaged):
            read(GOOD[:length])


@given(place=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255))
def test_a_byte_that_has_changed_is_noticed(place: int, byte: int) -> None:
    text = GOOD[:place] + bytes([byte]) + GOOD[place + 1 :]
    try:
        found = read(text)
    except Damaged:
        return
    whole = read(GOOD)
    assert found.notes == whole.notes
    for name, kept in found.rooms.items():  # a mark may only take an epoch away
        assert kept in (whole.rooms[name], whole.rooms[name]._replace(epoch=""))


@given(st.binary() | st.binary().map(lambda noise: GOOD[:200] + noise))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(Damaged):
        read(noise)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "it is empty"),
        (b"\0" * 5000, "it is no snapshot of this server"),
        (b"[1, 2]\n", "it is no snapshot of this server"),
        (b'{"name": "package.json"}\n', "it is no snapshot of this server"),
        (b'{"realtime_snapshot":2,"more":[]}\n', "it is of version 2, and this server knows"),
        (b'{"realtime_snapshot":1}\n', "its first line is none of ours"),
        (GOOD[:-100], "it is cut short"),
        (GOOD.replace(b"two", b"too"), "its checksum does not fit"),
    ],
)
def test_the_refusal_says_why(text: bytes, words: str) -> None:
    with pytest.raises(Damaged, match=words):
        read(text)
