"""What runs beside the server as long as it serves: functions of the project, such as a sensor's.

`Lifespan(background=[run])` starts and ends it, so that it runs neither in a command nor in a
test that serves nothing. Each function has a thread of its own, each coroutine function a task in
the server's loop. One that raises is called again, for nobody is near a kiosk.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.db import close_old_connections

from realtime import counters, hub, phase
from realtime.phase import Phase

Work = Callable[[], Any]

# Seconds before a function that raised is called again: twice as many each time, up to the longest.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0

# Seconds after which a call is held to have worked: the next pause is the first one again.
LONG_RUN = 60.0

# Seconds that tasks have for their clean-up after they were cancelled.
PATIENCE = 1.0

logger = logging.getLogger("realtime")


class Pauses:
    """How long to wait before the next call."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE

    def after(self, lasted: float) -> float:
        """Seconds, after a call that `lasted` so many and then raised."""
        pause = FIRST_PAUSE if lasted > LONG_RUN else self._next
        self._next = min(2 * pause, LONGEST_PAUSE)
        return pause


class Calls:
    """All calls of one function, until it returns or the server stops."""

    def __init__(
        self,
        work: Work,
        is_over: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work, self._is_over, self._clock = work, is_over, clock
        self.name = name_of(work)
        self._pauses = Pauses()
        self._last_error = ""

    def run(self, wait: Callable[[float], bool]) -> None:
        """In a thread. `wait` takes seconds, and answers whether the server has stopped."""
        while True:
            begun = self._clock()
            try:
                return self._returned(self._work())
            except SystemExit:
                return None  # its own way to say that it is done
            except Exception as error:
                pause = self._failed(error, begun)
            close_old_connections()  # one that broke would fail at each further call
            if pause is None or wait(pause):
                return None

    async def run_here(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """In the server's loop."""
        while True:
            begun = self._clock()
            try:
                await self._work()
                return
            except SystemExit:
                return
            except (Exception, asyncio.CancelledError) as error:
                if _is_cancelled():
                    raise
                pause = self._failed(error, begun)
            if pause is None:
                return
            await sleep(pause)

    def _failed(self, error: BaseException, begun: float) -> float | None:
        """Seconds until the next call, None if there is none. An error that stays is told once."""
        if self._is_over():
            logger.debug("%s ended with the server: %r", self.name, error)
            return None
        pause = self._pauses.after(self._clock() - begun)
        counters.crashes[self.name] += 1
        if repr(error) == self._last_error:
            logger.warning("%s failed again: %r. Next try in %g s.", self.name, error, pause)
            return pause
        self._last_error = repr(error)
        logger.error(
            "Error %s in %s, which is called again in %g s",
            secrets.token_hex(3),
            self.name,
            pause,
            exc_info=error,
        )
        return pause

    def _returned(self, result: object) -> None:
        if inspect.iscoroutine(result):
            result.close()
            logger.error(
                "%s returned a coroutine, which nobody awaits: give Lifespan(background=[…]) the "
                "`async def` itself.",
                self.name,
            )


class Background:
    """The threads and tasks of one server."""

    def __init__(self, works: Iterable[Work]) -> None:
        self._works = list(works)
        self._over = threading.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """In the serving loop."""
        for work in self._works:
            calls = Calls(work, self._is_over)
            if is_async(work):
                self._tasks.append(asyncio.create_task(calls.run_here(), name=calls.name))
            else:
                thread = threading.Thread(target=self._run, args=(calls,), name=calls.name)
                thread.daemon = True  # no stop waits for it
                thread.start()

    async def stop(self) -> bool:
        """Threads end at their next `publish`, tasks now; says whether all tasks have."""
        self._over.set()
        for task in self._tasks:
            task.cancel()
        if not self._tasks:
            return True
        _, busy = await asyncio.wait(self._tasks, timeout=PATIENCE)
        if busy:
            names = ", ".join(sorted(task.get_name() for task in busy))
            logger.warning("Stopping: %s took more than %g s, and was cut.", names, PATIENCE)
        return not busy

    def _run(self, calls: Calls) -> None:
        hub.until(self._over)
        calls.run(self._over.wait)

    def _is_over(self) -> bool:
        """The second is for a server that is stopped at once, and tells nobody."""
        return self._over.is_set() or phase.current() is Phase.STOPPING


def checked(works: Iterable[Work]) -> list[Work]:
    """`works` as a list. Raises TypeError for what cannot be called, with what to write instead."""
    if callable(works) or not isinstance(works, Iterable):
        example = _short(works) if callable(works) else "sensor.run"
        raise TypeError(f"background wants a list of functions: background=[{example}].")
    found = list(works)
    for work in found:
        if fault := _fault(work):
            raise TypeError(f"background=[{_short(work)}]: {fault}")
    return found


def is_async(work: Work) -> bool:
    return iscoroutinefunction(work) or iscoroutinefunction(type(work).__call__)


def name_of(work: Any) -> str:
    """`workshop.sensor.run`"""
    while isinstance(work, partial):
        work = work.func
    work = work if hasattr(work, "__qualname__") else type(work)
    return f"{work.__module__}.{work.__qualname__}"


def _fault(work: Any) -> str:
    if inspect.iscoroutine(work):
        work.close()
        return "it was called already. Name the function, without the brackets after it."
    if not callable(work):
        return "it is no function. Name one, without brackets after it."
    if inspect.isgeneratorfunction(work) or inspect.isasyncgenfunction(work):
        return "with a `yield` in it a call does nothing. Write publish(…) in its place."
    try:
        inspect.signature(work).bind()
    except TypeError as error:
        return f"it is called without arguments ({error}). Wrap it: functools.partial(…, …)."
    except ValueError:
        pass  # one of C's, which does not tell
    return ""


def _short(work: Any) -> str:
    return str(getattr(work, "__name__", None) or repr(work))


def _is_cancelled() -> bool:
    """Whether the stop cancelled this task, and not the work something of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
