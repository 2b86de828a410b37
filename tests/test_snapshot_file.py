"""The snapshot on a real disk: whole or not at all."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime import snapshot
from realtime.history import Entry, Kept
from realtime.snapshot import Damaged
from realtime.snapshot_file import KEPT_DAMAGED, Marks, SnapshotFile, moment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rooms.snapshot"


def lines(*rooms: str) -> list[bytes]:
    entries = (Entry(1, 0.0, b'"hi"', None),)
    kept = {name: Kept("e", 1, entries) for name in rooms}
    return list(snapshot.encode(kept, {}, saved=moment(), clock=0.0, stopped=False))


def epochs(file: SnapshotFile) -> dict[str, str]:
    text = file.read()
    assert text is not None
    rooms = snapshot.decode(text, now=moment(), clock=0.0).rooms
    return {name: kept.epoch for name, kept in rooms.items()}


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


def save(file: SnapshotFile, *rooms: str) -> Marks:
    marks = Marks(rooms)
    marks.open(*file.write(lines(*rooms)))
    file.put_in_place()
    return marks


def test_what_is_saved_is_read_and_is_private(path: Path) -> None:
    file = SnapshotFile(str(path))
    assert file.read() is None
    save(file, "kitchen").close()
    assert epochs(file) == {"kitchen": "e"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(path) == ["rooms.snapshot"]


def test_until_it_is_in_its_place_the_old_one_is(path: Path) -> None:
    file = SnapshotFile(str(path))
    save(file, "old").close()
    written, _ = file.write(lines("new"))
    assert epochs(file) == {"old": "e"}
    file.put_in_place()
    assert epochs(file) == {"new": "e"}
    written.close()


def test_what_a_killed_process_left_is_written_over(path: Path) -> None:
    file = SnapshotFile(str(path))
    path.with_name("rooms.snapshot.new").write_bytes(b"half a sna")
    save(file, "kitchen").close()
    assert names(path) == ["rooms.snapshot"]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    save(SnapshotFile(str(link)), "kitchen").close()
    assert link.is_symlink()
    assert path.exists()


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow above 64 KiB: what a full disk is to who writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_old_file_whole_and_nothing_else(path: Path) -> None:
    file = SnapshotFile(str(path))
    save(file, "old").close()
    with pytest.raises(OSError, match="too large"):
        file.write([*lines("new"), *[b"x" * 10_000] * 10])
    assert epochs(file) == {"old": "e"}
    assert names(path) == ["rooms.snapshot"]


def test_a_folder_is_not_taken_for_a_file_nor_renamed(path: Path) -> None:
    path.mkdir()
    file = SnapshotFile(str(path))
    with pytest.raises(OSError, match="it is no file"):
        file.read()
    written, _ = file.write(lines("kitchen"))
    with pytest.raises(OSError):  # noqa: PT011 (each system has its own words)
        file.put_in_place()
    file.drop(written)
    assert names(path) == ["rooms.snapshot"]


def test_a_file_of_a_terabyte_is_not_read(path: Path) -> None:
    with path.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(Damaged, match="too large"):
        SnapshotFile(str(path)).read()


def test_damaged_files_are_kept_but_only_the_newest(path: Path) -> None:
    file = SnapshotFile(str(path))
    path.with_name("rooms.snapshot.damaged-by-hand").touch()  # nobody's number
    for number in range(1, 6):
        path.write_text(f"no snapshot {number}")
        assert file.set_aside().read_text() == f"no snapshot {number}"
    aside = [name for name in names(path) if name[-1].isdecimal()]
    assert aside == [f"rooms.snapshot.damaged-{n}" for n in (3, 4, 5)]
    assert len(aside) == KEPT_DAMAGED
    assert path.with_name("rooms.snapshot.damaged-by-hand").exists()


# Marks


def test_a_mark_is_seen_by_who_reads_the_file(path: Path) -> None:
    file = SnapshotFile(str(path))
    marks = save(file, "a", "b", "c")
    marks.set("b")
    marks.set("b")
    marks.set("not in the file")
    assert epochs(file) == {"a": "e", "b": "", "c": "e"}
    marks.close()


def test_a_mark_that_is_set_while_the_file_is_written_is_in_it(path: Path) -> None:
    file, marks = SnapshotFile(str(path)), Marks(["a", "b"])
    marks.set("a")
    marks.open(*file.write(lines("a", "b")))
    marks.set("b")
    file.put_in_place()
    assert epochs(file) == {"a": "", "b": ""}
    marks.close()


def test_a_mark_outlives_a_killed_process(path: Path) -> None:
    code = (
        "import os, signal, sys; from tests.test_snapshot_file import *\n"
        "save(SnapshotFile(sys.argv[1]), 'a', 'b').set('a'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], timeout=30, check=False)
    assert epochs(SnapshotFile(str(path))) == {"a": "", "b": "e"}


def test_a_mark_that_cannot_be_set_is_known() -> None:
    marks = Marks(["a"])
    with open(os.devnull, "rb") as unwritable:
        marks.open(unwritable, b"")
        marks.set("a")
    assert marks.fault is not None


# Two servers


def test_a_second_server_is_kept_off_until_the_first_has_gone(path: Path) -> None:
    first, second = SnapshotFile(str(path)), SnapshotFile(str(path))
    first.lock()
    first.lock()
    with pytest.raises(BlockingIOError):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()
