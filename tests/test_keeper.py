"""Rooms over a restart: any story of saves, stops, kills and power cuts against a model; then the
keeper at work in a real loop, on disks that are full, locked and damaged.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime import keeper as keeper_module
from realtime.hub import Hub
from realtime.keeper import Keeper
from realtime.off_loop import in_thread
from realtime.roster import Departure
from realtime.snapshot import CLOCK_IS_SET, Moment
from realtime.snapshot_file import SnapshotFile
from tests.local import LocalHub, LocalSeat
from tests.wire import View, until

SIZE = 4
ROOMS = st.sampled_from(["kitchen", "den"])
PICK = st.integers(0, 1000)

# A disk for hundreds of stories in which each save is flushed.
MEMORY = Path("/dev/shm")


# The model


class Pause:
    """What a coroutine that the test drives by hand waits for."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass(eq=False)
class Tab:
    """A browser tab: processes come and go, what it knows stays."""

    room: str
    name: str
    view: View = field(default_factory=View)
    seat: LocalSeat | None = None
    # From which of all messages of the room it is owed each; the first may be before its time.
    since: int = 0
    # Sent, and not acknowledged: (ref, data).
    open: list[tuple[int, str]] = field(default_factory=list)


class Restarts(RuleBasedStateMachine):
    """`said` is all that was ever said in each room; `known` is what the process must know of it,
    and `kept` how much of that must survive it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.settings = override_settings(REALTIME_HISTORY_SIZE=SIZE, REALTIME_HISTORY_AGE=1e6)
        self.settings.enable()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.exists() else None))
        self.said: dict[str, list[str]] = {"kitchen": [], "den": []}
        self.known: dict[str, list[str]] = {"kitchen": [], "den": []}
        self.kept: dict[str, int] = {"kitchen": 0, "den": 0}
        self.names: dict[tuple[str, int], str] = {}  # what an epoch and an offset were given to
        self.tabs: list[Tab] = []
        self.numbers, self.boot, self.process = 0, 0, 0
        self.is_full = False
        self.hub = LocalHub()
        self.saving: Any = None
        self.saving_kept: dict[str, int] = {}
        self.starts()

    def teardown(self) -> None:
        self.ends()
        self.settings.disable()
        shutil.rmtree(self.folder)

    # The process.

    def starts(self) -> None:
        self.hub = LocalHub()
        self.path = self.folder / str(self.process) / "rooms"
        self.path.parent.mkdir(exist_ok=True)
        self.keeper = Keeper(
            self.hub, str(self.path), interval=1e9, moment=self.moment, in_thread=self.by_steps
        )
        self.runs_to_its_end(self.keeper.start())
        for name, known in self.known.items():
            del known[self.kept[name] :]
            held = (
                self.hub.rooms[name].history.recent(SIZE, now=0) if name in self.hub.rooms else []
            )
            assert [data_of(entry.text) for entry in held] == known[-SIZE:]

    def moment(self) -> Moment:
        return Moment(CLOCK_IS_SET, 1.0, f"boot {self.boot}")

    async def by_steps(self, work: Callable[[], Any]) -> Any:
        """As a thread does it: whatever may happen before, and before its end is noticed."""
        await Pause()
        if self.is_full and work != self.keeper._file.put_in_place:
            raise OSError(28, "No space left on device")
        result = work()
        try:
            await Pause()
        except GeneratorExit:
            if result is not None:
                result[0].close()
            raise
        return result

    def runs_to_its_end(self, work: Awaitable[Any]) -> Any:
        steps = work.__await__()
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def dies(self, *, without_power: bool = False) -> None:
        """What is on the disk stays there; what the old process still does reaches it no more."""
        old = self.path
        for tab in self.tabs:
            if tab.seat is not None:
                tab.seat.is_deaf, tab.seat = True, None
                tab.view.lost()
        self.process += 1
        shutil.copytree(old.parent, self.folder / str(self.process))
        if without_power:
            self.boot += 1
            unmark(self.folder / str(self.process) / old.name)
        self.ends()
        self.starts()

    def ends(self) -> None:
        if self.saving is not None:
            self.saving.close()
            self.saving = None
        self.keeper.close()

    @rule()
    def is_killed(self) -> None:
        self.dies()

    @rule()
    def loses_power(self) -> None:
        """And with it all marks, which is the worst."""
        self.dies(without_power=True)

    @rule(late=st.lists(ROOMS, max_size=2), reboots=st.booleans())
    def stops(self, late: list[str], reboots: bool) -> None:
        """Everybody is told goodbye; a thread may speak up to the end."""
        self.a_save_ends()
        for tab in self.tabs:
            if tab.seat is not None:
                tab.seat.goes(Departure.LOST)
                tab.seat = None
        self.saving, self.saving_kept = self.keeper.save(stopped=True), self.counts()
        self.goes_on_saving()
        for room in late:
            self.server_says(room)
        self.a_save_ends()
        self.boot += reboots
        self.dies()

    # Saving.

    def counts(self) -> dict[str, int]:
        return {room: len(known) for room, known in self.known.items()}

    @rule()
    @precondition(lambda self: self.saving is None)
    def begins_to_save(self) -> None:
        self.saving, self.saving_kept = self.keeper.save(), self.counts()
        self.goes_on_saving()

    @rule()
    @precondition(lambda self: self.saving is not None)
    def goes_on_saving(self) -> None:
        before = self.file_number()
        try:
            self.saving.send(None)
        except StopIteration:
            self.saving = None
        if self.file_number() != before:
            self.kept = dict(self.saving_kept)

    def a_save_ends(self) -> None:
        while self.saving is not None:
            self.goes_on_saving()

    def file_number(self) -> int:
        return self.path.stat().st_ino if self.path.exists() else 0

    @rule(is_full=st.booleans())
    def the_disk_is_full_or_not(self, is_full: bool) -> None:
        self.is_full = is_full

    # Rooms.

    @rule(room=ROOMS)
    def server_says(self, room: str) -> None:
        self.numbers += 1
        there = self.hub.room(room)
        there.publish(f"message {self.numbers}")
        self.note(room, f"message {self.numbers}")

    def note(self, room: str, data: str) -> None:
        self.said[room].append(data)
        self.known[room].append(data)
        history = self.hub.rooms[room].history
        assert (history.epoch, history.offset) not in self.names, "an offset is given out once"
        self.names[history.epoch, history.offset] = data

    @rule(room=ROOMS)
    @precondition(lambda self: len(self.tabs) < 4)
    def opens_a_tab(self, room: str) -> None:
        tab = Tab(room, f"tab {len(self.tabs)}")
        self.tabs.append(tab)
        self.enters(tab)
        tab.since = len(self.said[room])

    @rule(pick=PICK)
    def comes_back(self, pick: int) -> None:
        away = [tab for tab in self.tabs if tab.seat is None]
        if not away:
            return
        tab = away[pick % len(away)]
        seen = set(tab.view.messages.values())
        epoch = tab.view.epoch
        self.enters(tab, resume=(epoch, tab.view.offset))
        missed = self.said[tab.room][tab.since :]
        if tab.view.recovered[-1]:
            assert tab.view.epoch == epoch
            new = list(tab.view.messages.values())[len(seen) :]
            assert new == [data for data in missed if data not in seen], "all of it, and once"
        else:
            tab.view.messages = {}
            tab.since = len(self.said[tab.room])
        self.sends_again(tab)

    def enters(self, tab: Tab, **arrival: Any) -> None:
        tab.seat = self.hub.seat(tab.name, tab.room, view=tab.view, **arrival)
        self.hub.clock.tick()

    @rule(pick=PICK)
    def says_and_loses_the_network(self, pick: int) -> None:
        """So that it does not hear that it was heard."""
        there = [tab for tab in self.tabs if tab.seat is not None]
        if not there:
            return
        tab = there[pick % len(there)]
        assert tab.seat is not None
        self.numbers += 1
        tab.seat.is_deaf = True
        tab.open.append((self.numbers, f"from {tab.name}: {self.numbers}"))
        tab.seat.send_message("message", ref=self.numbers, data=tab.open[-1][1])
        self.note(tab.room, tab.open[-1][1])
        tab.view.lost()
        tab.seat.goes(Departure.LOST)
        tab.seat = None

    def sends_again(self, tab: Tab) -> None:
        assert tab.seat is not None
        history = self.hub.rooms[tab.room].history
        for ref, data in tab.open:
            held = [data_of(entry.text) for entry in history.recent(SIZE, now=0)]
            before = history.offset
            tab.seat.send_message("message", ref=ref, data=data)
            if history.offset > before:
                assert data not in held, "what the ring holds is not said twice"
                self.note(tab.room, data)
        tab.open = []

    @invariant()
    def who_is_there_has_heard_everything(self) -> None:
        for tab in self.tabs:
            if tab.seat is not None:
                assert set(self.said[tab.room][tab.since :]) <= set(tab.view.messages.values())


def data_of(text: bytes) -> Any:
    return json.loads(text)["data"]


def unmark(path: Path) -> None:
    """As the disk has it when the kernel had no time to write the marks."""
    if path.exists():
        lines = path.read_bytes().split(b"\n")
        lines[1] = b"." * len(lines[1])
        path.write_bytes(b"\n".join(lines))


TestRestarts = Restarts.TestCase
TestRestarts.settings = hypothesis_settings(
    max_examples=5000 if os.environ.get("LONG_TESTS") else 40,
    stateful_step_count=40,
    deadline=None,
)


# At work in a real loop


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms"


class Started:
    """A process's worth of hub and keeper, one after the other in this loop."""

    def __init__(self, path: Path, interval: float = 1e6) -> None:
        self.hub = Hub(asyncio.get_running_loop())
        self.keeper = Keeper(self.hub, str(path), interval=interval)

    async def __aenter__(self) -> Started:
        await self.keeper.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.keeper.stop()

    def said(self, room: str) -> list[Any]:
        history = self.hub.room(room).history
        return [data_of(entry.text) for entry in history.recent(100, now=self.hub.clock.time())]


def killed(path: Path) -> Path:
    """The file as a process leaves it that is killed now."""
    copy = path.with_name(f"{path.name}-copy")
    shutil.copy(path, copy)
    return copy


async def test_a_stop_keeps_everything_and_the_epoch(path: Path) -> None:
    async with Started(path) as before:
        room = before.hub.room("kitchen")
        room.publish("hi")
        before.hub.notes["screens"] = ["hall"]
    async with Started(path) as after:
        assert after.said("kitchen") == ["hi"]
        assert after.hub.room("kitchen").history.epoch == room.history.epoch
        assert after.hub.notes == {"screens": ["hall"]}


async def test_a_kill_keeps_the_epoch_of_rooms_that_were_quiet_since_the_save(path: Path) -> None:
    async with Started(path) as before:
        quiet, loud = before.hub.room("quiet"), before.hub.room("loud")
        quiet.publish("saved")
        loud.publish("saved")
        await before.keeper.save()
        loud.publish("lost")
        async with Started(killed(path)) as after:
            assert after.hub.room("quiet").history.epoch == quiet.history.epoch
            assert after.hub.room("loud").history.epoch != loud.history.epoch
            assert after.said("quiet") == after.said("loud") == ["saved"]


async def test_it_is_saved_at_intervals_and_only_when_something_has_changed(path: Path) -> None:
    async with Started(path, interval=0.02) as process:
        ticks, tick, first = 0, process.keeper._tick, path.read_bytes()

        def counted() -> None:
            nonlocal ticks
            ticks += 1
            tick()

        process.keeper._tick = counted  # type: ignore[method-assign]
        await until(lambda: ticks > 3)
        assert path.read_bytes() == first  # it says when it was saved
        process.hub.room("kitchen").publish("hi")
        await until(lambda: b"hi" in path.read_bytes())


async def test_a_stop_in_the_middle_of_a_save_has_the_last_word(path: Path) -> None:
    disk_goes_on = asyncio.Event()

    async def slow(work: Callable[[], Any]) -> Any:
        await disk_goes_on.wait()
        return await in_thread(work)

    async with Started(path, interval=0.001) as process:
        keeper = process.keeper
        keeper._in_thread = slow
        process.hub.room("kitchen").publish("hi")
        await until(lambda: keeper._task is not None)
        asyncio.get_running_loop().call_later(0.01, disk_goes_on.set)
    assert b'"stopped":true' in path.read_bytes()
    assert keeper._task is not None
    await keeper._task
    await asyncio.sleep(0)
    assert keeper._timer.cancelled()


async def test_the_bound_of_rooms_is_todays(path: Path, settings: Any) -> None:
    async with Started(path) as before:
        for n in range(5):
            before.hub.room(f"room {n}").publish(n)
    settings.REALTIME_MAX_ROOMS = 2
    async with Started(path) as after:
        assert list(after.hub.rooms) == ["room 3", "room 4"]


async def test_a_loop_that_serves_is_not_held_up_by_a_large_snapshot(path: Path) -> None:
    async with Started(path) as process:
        for n in range(300):
            room = process.hub.room(f"room {n}")
            for _ in range(100):
                room.publish("x" * 100)
        turns, saving = 0, asyncio.create_task(process.keeper.save())
        while not saving.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 300  # as many as rooms: the thread lets go after each


# What goes wrong


async def test_a_damaged_file_is_set_aside_with_a_warning(path: Path, logged: list[str]) -> None:
    path.write_text("once upon a time")
    async with Started(path) as process:
        assert process.hub.rooms == {}
    assert "it is no snapshot of this server. It is kept as" in logged[0]
    assert path.with_name("rooms.damaged-1").read_text() == "once upon a time"
    async with Started(path):
        pass
    assert len(logged) == 1


async def test_a_place_that_cannot_be_written_is_one_warning_until_it_can(
    path: Path, logged: list[str]
) -> None:
    missing = path / "folder" / "rooms"
    async with Started(missing) as process:
        for _ in range(3):
            assert not await process.keeper.save()
        assert len(logged) == 1
        assert "cannot be kept: No such file or directory" in logged[0]
        missing.parent.mkdir(parents=True)
        assert await process.keeper.save()
    assert logged[1:] == [f"The snapshot {missing} is kept again."]
    assert missing.exists()


async def test_a_file_that_cannot_be_replaced_has_no_say_about_epochs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Started(path) as first:
        first.hub.room("kitchen").publish("hi")
    epochs = [first.hub.room("kitchen").history.epoch]
    with monkeypatch.context() as full:
        full.setattr(SnapshotFile, "write", full_disk)
        async with Started(path) as second:
            assert second.said("kitchen") == ["hi"]
            epochs.append(second.hub.room("kitchen").history.epoch)
            second.hub.room("kitchen").publish("nobody will know")
    async with Started(path) as third:
        assert third.said("kitchen") == ["hi"]
        epochs.append(third.hub.room("kitchen").history.epoch)
    assert len(set(epochs)) == 3


def full_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


async def test_a_file_that_cannot_be_marked_is_not_believed(
    path: Path, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Started(path) as process:
        process.hub.room("kitchen")
        await process.keeper.save()
        process.keeper._marks.fault = OSError(5, "Input/output error")
        process.hub.room("kitchen").publish("hi")
        assert not path.exists()
        assert "Input/output error" in logged[0]
    assert path.exists()


async def test_two_servers_do_not_share_a_file(path: Path, logged: list[str]) -> None:
    async with Started(path) as first:
        first.hub.room("kitchen").publish("mine")
        await first.keeper.save()
        async with Started(path) as second:
            assert "another server uses it" in logged[0]
            assert second.hub.rooms == {}
            second.hub.room("den").publish("theirs")
        first.hub.room("kitchen").publish("still mine")
    async with Started(path) as third:
        assert third.said("kitchen") == ["mine", "still mine"]
        assert set(third.hub.rooms) == {"kitchen"}


async def test_a_disk_that_hangs_does_not_keep_a_server_from_ending(
    path: Path, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Started(path)
    await process.keeper.start()
    monkeypatch.setattr(keeper_module, "PATIENCE", 0.01)
    process.keeper._in_thread = lambda work: asyncio.Event().wait()
    await process.keeper.stop()
    assert "the disk took more than 0.01 s" in logged[0]
