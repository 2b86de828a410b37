"""Work beside the server: when it runs, when it runs again, and that no stop waits for it."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvloop

from realtime import hub, publish
from realtime.hub import NotServingError
from realtime.lifespan import Lifespan
from realtime.serving import background
from realtime.serving.background import Background, Calls, Pauses
from realtime.testing import serving
from tests.processes import ROOT, Process, run

Start = Callable[..., Process]
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
PATIENCE = 20  # seconds, for what comes within milliseconds on a machine that is not busy

# A project with a thread that publishes, a task that does, one that fails, and one that does not
# want to end.
PROJECT = """
import asyncio, sys, time
sys.path.insert(0, {root!r})
import app
from realtime import publish
from realtime.lifespan import Lifespan

def thread():
    while True:
        publish("den", "from a thread")
        time.sleep(0.01)

async def task():
    while True:
        publish("den", "from a task")
        await asyncio.sleep(0.01)

def broken():
    raise OSError("no sensor")

def sleepy():
    time.sleep(100)

async def stubborn():
    while True:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            print("I stay", flush=True)

works = [thread, task, broken, sleepy]
if "{stubborn}":
    works.append(stubborn)
application = app.application
application.application_mapping["lifespan"] = Lifespan(background=works)
"""
SERVE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
sys.path[:0] = [{root!r}, {folder!r}]
import django
from django.conf import settings
django.setup()
settings.ASGI_APPLICATION = "beside.application"
from django.core.management import call_command
call_command("serve", "--host", "127.0.0.1", "--port", sys.argv[1])
"""


class Failing:
    """Raises each time it is called, and lasts `seconds` on its clock; `__name__` as of one."""

    def __init__(self, *lasts: float, error: Callable[[int], Exception] | None = None) -> None:
        self.now, self.calls, self.lasts = 0.0, 0, list(lasts)
        self.error = error or (lambda number: OSError(f"no sensor {number}"))

    def clock(self) -> float:
        return self.now

    def __call__(self) -> None:
        self.calls += 1
        if not self.lasts:
            return
        self.now += self.lasts.pop(0)
        raise self.error(self.calls)


def pauses_of(work: Failing) -> list[float]:
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    Calls(work, lambda: False, clock=work.clock).run(wait)
    return waited


# How long it waits.


def test_pauses_double_up_to_a_minute() -> None:
    pauses = Pauses()
    assert [pauses.after(0) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_after_a_run_of_more_than_a_minute_the_first_pause_is_a_second_again() -> None:
    pauses = Pauses()
    assert [pauses.after(lasted) for lasted in (0, 0, 60, 60.1, 0)] == [1, 2, 4, 1, 2]


def test_what_raises_is_called_again_until_it_returns(logged: list[str]) -> None:
    work = Failing(0, 0, 100, 0)
    assert pauses_of(work) == [1, 2, 1, 2]
    assert work.calls == 5
    assert len(logged) == 4


def test_an_error_has_its_traceback_once_and_then_a_line() -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    background.logger.addHandler(handler)
    pauses_of(Failing(0, 0, 0, error=lambda number: OSError("unplugged")))
    background.logger.removeHandler(handler)
    assert [bool(record.exc_info) for record in records] == [True, False, False]
    first, second, _ = (record.getMessage() for record in records)
    assert "test_background.Failing, which is called again in 1 s" in first
    assert "failed again: OSError('unplugged'). Next try in 2 s." in second


def test_an_error_while_the_server_stops_ends_it_in_silence(logged: list[str]) -> None:
    work = Failing(0, 0, error=lambda number: NotServingError("stopped"))
    Calls(work, lambda: True).run(lambda seconds: pytest.fail("it waits"))
    assert (work.calls, logged) == (1, [])


def test_a_stop_ends_the_pause() -> None:
    work = Failing(0, 0)
    Calls(work, lambda: False).run(lambda seconds: True)
    assert work.calls == 1


async def test_a_coroutine_function_is_called_again_too(logged: list[str]) -> None:
    work, waited = Failing(0, 0), list[float]()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def measure() -> None:
        work()

    await Calls(measure, lambda: False, clock=work.clock).run_here(sleep)
    assert (work.calls, waited, len(logged)) == (3, [1, 2], 2)


async def test_a_cancellation_of_its_own_is_a_failure_like_others(logged: list[str]) -> None:
    calls = 0

    async def measure() -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise asyncio.CancelledError

    await Calls(measure, lambda: False).run_here(lambda seconds: asyncio.sleep(0))
    assert (calls, len(logged)) == (2, 1)


async def test_who_cancels_the_task_ends_it(logged: list[str]) -> None:
    """As asyncio.run() does, where a server ends without a word."""
    task = asyncio.create_task(Calls(asyncio.Event().wait, lambda: False).run_here())
    await asyncio.sleep(0)  # a step of the loop: it has begun
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, PATIENCE)
    assert logged == []


def test_sys_exit_means_done(logged: list[str]) -> None:
    work = Failing(0, error=lambda number: SystemExit())  # type: ignore[arg-type, return-value]
    assert (pauses_of(work), logged) == ([], [])


def test_a_coroutine_that_nobody_awaits_is_told(logged: list[str]) -> None:
    async def measure() -> None: ...

    Calls(lambda: measure(), lambda: False).run(lambda seconds: pytest.fail("it waits"))
    assert "returned a coroutine, which nobody awaits" in logged[0]


# With a server.


@pytest.mark.parametrize("loop", LOOPS)
def test_functions_run_in_threads_and_coroutines_in_the_loop(loop: str) -> None:
    async def main() -> None:
        loop, threads = asyncio.get_running_loop(), list[threading.Thread]()
        is_heard, done = asyncio.Event(), asyncio.Event()

        def thread() -> None:
            publish("den", 1)
            threads.append(threading.current_thread())
            loop.call_soon_threadsafe(is_heard.set)

        async def task() -> None:
            publish("den", 2)
            await asyncio.wait_for(is_heard.wait(), PATIENCE)
            threads.append(threading.current_thread())
            done.set()

        async with serving(Lifespan(background=[thread, task])):
            await asyncio.wait_for(done.wait(), PATIENCE)
            assert hub.serving_hub().clock is loop
            assert hub.serving_hub().room("den").history.offset == 2
        assert threads[1] is threading.main_thread()
        assert threads[0] is not threading.main_thread()
        assert threads[0].daemon

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


async def test_a_thread_ends_with_its_server_although_the_process_lives_on() -> None:
    ended, heard = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        try:
            while True:
                publish("den", 1)
                loop.call_soon_threadsafe(heard.set)
        finally:
            ended.set()

    async with serving(Lifespan(background=[work])):
        await asyncio.wait_for(heard.wait(), PATIENCE)
    async with serving(Lifespan()):  # a later one does not hear it either
        assert await asyncio.to_thread(ended.wait, PATIENCE)


async def test_a_task_is_cancelled_and_may_clean_up(logged: list[str]) -> None:
    steps = []

    async def work() -> None:
        steps.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("closed")

    async with serving(Lifespan(background=[work])):
        pass
    assert (steps, logged) == (["begun", "closed"], [])


async def test_a_task_that_stays_is_named_and_not_waited_for(
    logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "PATIENCE", 0.01)
    free = asyncio.Event()

    async def work() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    beside = Background([work])
    beside.start()
    await asyncio.sleep(0)  # a step of the loop: the task has begun
    assert await beside.stop() is False
    assert "work took more than 0.01 s, and was cut" in logged[0]
    free.set()


# What can be given.


async def _coroutine() -> None: ...


def _generator() -> Any:
    yield


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (_generator, r"background wants a list of functions: background=\[_generator\]"),
        (None, "background wants a list of functions"),
        ([None], "it is no function. Name one, without brackets after it"),
        (["sensor.run"], "it is no function"),
        ([_generator], "with a `yield` in it a call does nothing"),
        ([threading.Thread()], "it is no function"),
        ([lambda pin: None], r"called without arguments \(missing .+'pin'\).+functools.partial"),
    ],
)
def test_what_cannot_be_called_is_refused_in_a_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        Lifespan(background=given)


def test_a_coroutine_in_place_of_its_function_is_refused() -> None:
    with pytest.raises(TypeError, match=r"called already\. Name the function, without"):
        Lifespan(background=[_coroutine()])  # type: ignore[list-item]


def test_a_partial_and_an_object_with_an_async_call_are_functions() -> None:
    class Sensor:
        async def __call__(self) -> None: ...

    assert background.is_async(partial(_coroutine))
    assert background.is_async(Sensor())
    assert not background.is_async(Failing())
    assert background.name_of(partial(_coroutine)) == "tests.test_background._coroutine"
    assert background.name_of(Sensor()).endswith("Sensor")


# As processes.


def project(folder: Path, *, stubborn: bool = False) -> Path:
    text = PROJECT.format(root=str(ROOT), stubborn="yes" if stubborn else "")
    (folder / "beside.py").write_text(text)
    (folder / "serve.py").write_text(SERVE.format(root=str(ROOT), folder=str(folder)))
    return folder


def command(way: str, folder: Path) -> list[str]:
    if way == "serve":
        return [str(folder / "serve.py"), "{port}"]
    options = {"reload": ["--reload"], "asyncio": ["--loop", "asyncio"]}.get(way, [])
    program = ["-m", "uvicorn", "beside:application", "--port", "{port}"]
    return [*program, "--app-dir", str(folder), *options]


def heard(process: Process) -> set[str]:
    url = process.http("/api/rooms/den/messages/")
    return {message["data"] for message in httpx.get(url).json()["messages"]}


def until(is_so: Callable[[], bool]) -> None:
    """Polls another process: there is no event to wait for."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("way", ["uvicorn", "asyncio", "reload", "serve"])
def test_a_server_stops_in_time_and_without_a_traceback(
    start: Start, tmp_path: Path, way: str, how: signal.Signals
) -> None:
    process = start(*command(way, project(tmp_path)), cwd=tmp_path)
    until(lambda: heard(process) >= {"from a thread", "from a task"})
    until(lambda: "called again in 1 s" in process.said())
    begun = time.monotonic()
    status = process.stop(how)
    assert time.monotonic() - begun < 5
    assert status == 0, process.said()
    assert process.said().count("Traceback") == 1  # of broken(), once
    assert "OSError: no sensor" in process.said()
    assert "never awaited" not in process.said()
    assert "destroyed" not in process.said()


def test_a_task_that_cannot_be_cancelled_does_not_keep_the_server(
    start: Start, tmp_path: Path
) -> None:
    process = start(*command("uvicorn", project(tmp_path, stubborn=True)), cwd=tmp_path)
    begun = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - begun < 5
    assert "beside.stubborn took more than 1 s, and was cut" in process.said()


def test_a_command_runs_nothing_of_it(tmp_path: Path) -> None:
    code = "import beside, threading; print(threading.active_count())"
    environment = {"PYTHONPATH": f"{project(tmp_path)}:{ROOT}"}
    result = run("-c", code, cwd=ROOT, env=environment)
    assert (result.stdout, result.stderr) == ("1\n", "")
