"""Keeps the rooms over a restart: reads the snapshot at the start, saves it now and then, and at
the stop.

Written at most every `REALTIME_SNAPSHOT_INTERVAL` seconds and only when something has changed, by
a thread of its own. What may be promised to clients afterwards stands in snapshot.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
from django.conf import settings

from realtime import snapshot
from realtime.history import Kept
from realtime.hub import Hub
from realtime.off_loop import in_thread
from realtime.snapshot import Damaged, Moment
from realtime.snapshot_file import MARKS_LAST, Marks, SnapshotFile, moment

# Seconds for the loop after each room that the thread has encoded, so that it gets its turn.
PAUSE = 0.0005

# Longest wait for the last save, in seconds: a disk that hangs does not keep a server from ending.
PATIENCE = 10.0

logger = logging.getLogger("realtime")


class Keeper:
    """The snapshot of one hub. Everything but the writing happens in the hub's loop."""

    def __init__(
        self,
        hub: Hub,
        path: str,
        *,
        interval: float,
        moment: Callable[[], Moment] = moment,
        in_thread: Callable[[Callable[[], Any]], Awaitable[Any]] = in_thread,
    ) -> None:
        self._hub, self._interval = hub, interval
        self._moment, self._in_thread = moment, in_thread
        self._file = SnapshotFile(path)
        # Marks of the file in its place, and of the one that is being written.
        self._marks, self._next_marks = Marks([]), Marks([])
        self._saved: object = None  # the state that the file has
        self._saving = asyncio.Lock()
        self._timer: Any = None
        self._task: asyncio.Task[bool] | None = None
        self._fault: OSError | None = None
        self._is_over = False

    async def start(self) -> None:
        """Rooms as they were; from here on the file on the disk is not the last word any more."""
        self._restore()
        self._hub.spoken = self._spoken
        if not await self.save():
            self._restart_epochs()
        self._arm()

    async def stop(self) -> None:
        """The last word: call it when nobody is connected any more."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            async with asyncio.timeout(PATIENCE):
                await self.save(stopped=True)
        except TimeoutError:
            logger.warning("The snapshot was not saved: the disk took more than %g s.", PATIENCE)
        finally:
            self._hub.spoken = lambda room: None  # nobody hears it
            self.close()

    def close(self) -> None:
        """Another process may have the file."""
        self._marks.close()
        self._file.unlock()

    async def save(self, *, stopped: bool = False) -> bool:
        """Write what the rooms hold now. A failure is in the log, once, and the old file whole."""
        async with self._saving:
            try:
                await self._save(stopped=stopped)
            except OSError as error:
                self._failed(error)
                return False
            self._succeeded()
            return True

    async def _save(self, *, stopped: bool) -> None:
        self._file.lock()
        state, rooms = self._state(), self._rooms()
        marks = self._next_marks = Marks(rooms)
        saved = self._moment()
        lines = snapshot.encode(
            rooms, dict(self._hub.notes), saved=saved, clock=self._hub.clock.time(), stopped=stopped
        )
        write = partial(self._file.write, lines, pause=0.0 if stopped else PAUSE)
        file, first_line = await self._in_thread(write)
        try:
            if MARKS_LAST:
                # From here on each message marks the new file too, before it may be read.
                marks.open(file, first_line)
            else:
                file.close()
            await self._in_thread(self._file.put_in_place)
        except BaseException:
            self._file.drop(file)
            raise
        finally:
            self._next_marks = Marks([])
        self._marks.close()
        self._marks, self._saved = marks, state
        self._check(marks)

    def _state(self) -> object:
        places = {
            name: (room.history.epoch, room.history.offset)
            for name, room in self._hub.rooms.items()
        }
        return places, msgspec.json.encode(self._hub.notes)

    def _rooms(self) -> dict[str, Kept]:
        """Those that spoke last come first, and are the last to lose messages to the bound."""
        now = self._hub.clock.time()
        rooms = {name: room.history.kept(now) for name, room in self._hub.rooms.items()}
        newest = {
            name: kept.entries[-1].at if kept.entries else 0.0 for name, kept in rooms.items()
        }
        return {name: rooms[name] for name in sorted(rooms, key=newest.__getitem__, reverse=True)}

    def _spoken(self, room: str) -> None:
        """Something is said in `room`, and nobody has heard it yet."""
        self._marks.set(room)
        self._next_marks.set(room)
        try:
            self._check(self._marks)
        except OSError as error:
            self._failed(error)

    def _check(self, marks: Marks) -> None:
        """A file that could not be marked says what is not true, and goes. Raises OSError."""
        if marks.fault is not None:
            self._file.remove()
            marks.close()
            self._marks, self._saved = Marks([]), None
            raise marks.fault

    # At intervals.

    def _arm(self) -> None:
        if self._is_over:
            return  # what is saved now has the last word
        clock = self._hub.clock
        self._timer = clock.call_at(clock.time() + self._interval, self._tick)

    def _tick(self) -> None:
        if self._state() == self._saved:
            self._arm()
        else:
            self._task = asyncio.ensure_future(self.save())
            self._task.add_done_callback(lambda _: self._arm())

    # At the start.

    def _restart_epochs(self) -> None:
        """What the file says of epochs must hold neither for this process nor for the next."""
        if not isinstance(self._fault, BlockingIOError):  # else it is another server's
            self._file.spend()
        now = self._hub.clock.time()
        for room in self._hub.rooms.values():
            room.restore(room.history.kept(now)._replace(epoch=""))

    def _restore(self) -> None:
        found = self._read()
        if found is None:
            return
        self._hub.notes.update(found.notes)
        self._hub.recall()
        # The newest come first in the file, and last here: a hub forgets its oldest first.
        for name in list(found.rooms)[: settings.REALTIME_MAX_ROOMS][::-1]:
            self._hub.room(name).restore(found.rooms[name])

    def _read(self) -> snapshot.Snapshot | None:
        """What the file says, None without one; what cannot be used is out of the way, in words."""
        try:
            self._lock()
            text = self._file.read()
            if text is None:
                return None
            return snapshot.decode(text, now=self._moment(), clock=self._hub.clock.time())
        except Damaged as damaged:
            self._set_aside(damaged)
        except OSError as error:
            self._failed(error)
        return None

    def _lock(self) -> None:
        """Raises BlockingIOError for the file of a server that runs; others are no hindrance."""
        try:
            self._file.lock()
        except BlockingIOError:
            raise
        except OSError:
            pass  # what cannot be written may be read

    def _set_aside(self, damaged: Damaged) -> None:
        try:
            where = f"It is kept as {self._file.set_aside()}"
        except OSError as error:
            where = f"It cannot be renamed ({error.strerror})"
        logger.warning(
            "The snapshot %s cannot be used: %s. %s; rooms start empty.",
            self._file.path,
            damaged,
            where,
        )

    # What the log says.

    def _failed(self, error: OSError) -> None:
        if self._fault is None:
            why = "another server uses it" if isinstance(error, BlockingIOError) else None
            logger.warning(
                "The snapshot %s cannot be kept: %s. It is tried again every %g s; until then a "
                "restart forgets what is said in rooms.",
                self._file.path,
                why or error.strerror or error,
                self._interval,
            )
        self._fault = error

    def _succeeded(self) -> None:
        if self._fault is not None:
            logger.warning("The snapshot %s is kept again.", self._file.path)
        self._fault = None


async def keep(hub: Hub) -> Keeper | None:
    """A keeper at work, if the settings name a file."""
    if not settings.REALTIME_SNAPSHOT:
        return None
    keeper = Keeper(hub, settings.REALTIME_SNAPSHOT, interval=settings.REALTIME_SNAPSHOT_INTERVAL)
    await keeper.start()
    return keeper
