"""The snapshot on the disk: whole or not at all, whatever ends the process or the power.

A save is written beside the file, put on the disk and renamed over it. Not here: what is in it
(snapshot.py), when it is saved (keeper.py). Functions that write may take long: keep them off the
serving loop, but for `Marks.set`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from realtime.snapshot import SPOKEN, Damaged, Moment, mark_at

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

# Files that could not be used, and are kept for whoever wants to look.
KEPT_DAMAGED = 3

# Far above what is ever written: more is somebody else's file, and not read.
MOST_BYTES = 1024 * 1024 * 1024

# Windows renames no file that is open; there, marks are not kept.
MARKS_LAST = os.name != "nt"

BOOT = Path("/proc/sys/kernel/random/boot_id")


def moment() -> Moment:
    """Now, by every clock that there is."""
    try:
        boot = BOOT.read_text().strip()
    except OSError:
        boot = ""
    return Moment(time.time(), time.monotonic(), boot)


class Marks:
    """Says in a file which rooms have spoken since it was saved; each room once."""

    def __init__(self, rooms: Iterable[str]) -> None:
        # Why the file must not be believed: it could not be written to.
        self.fault: OSError | None = None
        self._places = {name: place for place, name in enumerate(rooms)}
        self._early: list[int] = []  # before the file was there
        self._file: BinaryIO | None = None
        self._first_line = b""

    def set(self, room: str) -> None:
        """Not put on the disk: it is to outlive the process, not the power."""
        place = self._places.pop(room, None)
        if place is None:
            return
        if self._file is None:
            self._early.append(place)
        else:
            self._write(place)

    def open(self, file: BinaryIO, first_line: bytes) -> None:
        self._file, self._first_line = file, first_line
        for place in self._early:
            self._write(place)

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def _write(self, place: int) -> None:
        assert self._file is not None
        try:
            self._file.seek(mark_at(self._first_line, place))
            self._file.write(SPOKEN)
            self._file.flush()
        except OSError as error:
            self.fault = error


class SnapshotFile:
    """One server's file. `path` may be a link; a second server is kept off by a lock."""

    def __init__(self, path: str) -> None:
        self.path = Path(os.path.realpath(path))
        self._new = self._beside("new")
        self._lock: int | None = None

    def lock(self) -> None:
        """Until the process ends. Raises OSError, BlockingIOError for a file in use."""
        if self._lock is not None:
            return
        handle = os.open(self._beside("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        self._lock = handle

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self) -> bytes | None:
        """What it says; None where there is no file. Raises OSError, and Damaged for no file."""
        try:
            about = self.path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(about.st_mode):
            raise IsADirectoryError(0, "it is no file")
        if about.st_size > MOST_BYTES:
            raise Damaged("it is too large to be one")
        return self.path.read_bytes()

    def set_aside(self) -> Path:
        """Rename it, as the newest of the damaged ones; returns the name. Raises OSError."""
        before = sorted(self._damaged())
        number = before[-1] + 1 if before else 1
        aside = self._beside(f"damaged-{number}")
        self.path.replace(aside)
        for old in before[: len(before) + 1 - KEPT_DAMAGED]:
            self._beside(f"damaged-{old}").unlink(missing_ok=True)
        return aside

    def write(self, lines: Iterable[bytes], *, pause: float = 0.0) -> tuple[BinaryIO, bytes]:
        """The next file, on the disk but not in its place; it, and its first line. Raises OSError.

        `pause`: seconds after each line, in which the serving loop gets its turn.
        """
        self._new.unlink(missing_ok=True)  # of a process that was killed
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(self._new, flags, 0o600), "w+b")
        try:
            first_line = b""
            for line in lines:
                first_line = first_line or line
                file.write(line)
                time.sleep(pause)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            self.drop(file)
            raise
        return file, first_line

    def put_in_place(self) -> None:
        """What was written is the snapshot. Raises OSError where it is not."""
        self._new.replace(self.path)
        # It is in its place, whatever comes of this; Windows opens no folder.
        with contextlib.suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def drop(self, file: BinaryIO) -> None:
        """Leave nothing of what was to be written; the file in its place is whole."""
        with contextlib.suppress(OSError):
            file.close()  # a full disk may complain again
        with contextlib.suppress(OSError):
            self._new.unlink(missing_ok=True)

    def spend(self) -> None:
        """Mark every room in the file that is there, where no other can be written: a full disk.

        Where that cannot be either, on a read-only disk, nothing can be said to the next start.
        """
        with contextlib.suppress(OSError), self.path.open("r+b") as file:
            first_line = file.readline()
            marks = file.readline().rstrip(b"\n")
            file.seek(mark_at(first_line, 0))
            file.write(SPOKEN * len(marks))
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """It must not be read again: what it says is not true any more."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")

    def _damaged(self) -> Iterable[int]:
        prefix = f"{self.path.name}.damaged-"
        for path in self.path.parent.iterdir():
            number = path.name.removeprefix(prefix)
            if path.name.startswith(prefix) and number.isdecimal():
                yield int(number)
