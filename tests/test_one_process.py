"""One process is the rule, and who asks for two is told so."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.client import connect

from realtime.serving.one_process import refusal
from tests.processes import ROOT, Process, free_port, run, running


def server(workers: int, notify: Any = None) -> Any:
    return SimpleNamespace(config=SimpleNamespace(workers=workers, callback_notify=notify))


def started(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_one_worker_may_start_and_two_may_not() -> None:
    assert refusal(None) is None
    assert refusal(server(1)) is None
    assert "2 workers were asked for" in (refusal(server(2)) or "")


def test_gunicorns_workers_count_as_well() -> None:
    class Worker:
        cfg = SimpleNamespace(workers=4)

        async def callback_notify(self) -> None: ...

    assert "4 workers" in (refusal(server(1, Worker().callback_notify)) or "")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--workers", "2"], {}), ([], {"WEB_CONCURRENCY": "2"})],
    ids=["--workers 2", "WEB_CONCURRENCY=2"],
)
def test_uvicorn_with_two_workers_stops_with_a_sentence(
    arguments: list[str], environment: dict[str, str]
) -> None:
    port = str(free_port())
    done = started("uvicorn", "app:application", "--port", port, *arguments, **environment)
    assert done.returncode != 0
    assert "2 workers were asked for" in done.stderr
    assert "Traceback" not in done.stderr


PROGRAM = """
import multiprocessing
import sys
import uvicorn

if __name__ == "__main__":
    server = uvicorn.Server(uvicorn.Config("app:application", port=int(sys.argv[1]), workers=2))
    process = multiprocessing.get_context("spawn").Process(target=server.run)
    process.start()
    process.join()
    print("Refused with", process.exitcode)
"""


def test_a_program_that_runs_a_refused_server_in_a_process_of_its_own_lives_on(
    tmp_path: Path,
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = run(str(program), str(free_port()), env={"PYTHONPATH": str(ROOT)})
    assert "2 workers were asked for" in done.stderr
    assert "Refused with 3" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="seen on Linux only")
@pytest.mark.parametrize(
    "command",
    [
        ["hypercorn", "app:application", "-w", "2", "-b", "127.0.0.1:{port}"],
        ["granian", "--interface=asgi", "--workers=2", "--port={port}", "app:application"],
    ],
    ids=["hypercorn", "granian"],
)
def test_servers_that_do_not_count_their_workers_stop_all_the_same(command: list[str]) -> None:
    port = str(free_port())
    done = started(*(part.replace("{port}", port) for part in command))
    assert "several workers were asked for" in done.stdout + done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("gunicorn"), reason="gunicorn is not installed")
def test_gunicorn_with_two_workers_stops_with_a_sentence() -> None:
    bind = f"127.0.0.1:{free_port()}"
    worker = "uvicorn.workers.UvicornWorker"
    done = started("gunicorn", "app:application", "-w", "2", "-k", worker, "-b", bind)
    assert done.returncode != 0
    assert "2 workers were asked for" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("gunicorn"), reason="gunicorn is not installed")
async def test_gunicorn_with_one_worker_serves(tmp_path: Path) -> None:
    worker = ["-w", "1", "-k", "uvicorn.workers.UvicornWorker", "-b", "127.0.0.1:{port}"]
    command = ["-m", "gunicorn", "app:application", *worker]
    # It keeps a control socket in the home folder.
    with running(*command, folder=tmp_path, env={"HOME": str(tmp_path)}) as process:
        await echoes(process)


def test_app_py_does_not_start_either_where_two_workers_are_asked_for() -> None:
    done = run("app.py", "--port", str(free_port()), env={"WEB_CONCURRENCY": "2"})
    assert done.returncode == 1
    assert "WEB_CONCURRENCY=2 starts several processes" in done.stderr
    assert "Traceback" not in done.stderr


async def test_reload_serves_whatever_workers_were_asked_for(tmp_path: Path) -> None:
    """uvicorn ignores their number then: there is one process."""
    (tmp_path / "watched").mkdir()
    command = ["--reload", "--reload-dir", str(tmp_path / "watched")]
    arguments = ["-m", "uvicorn", "app:application", "--port", "{port}", *command]
    with running(*arguments, folder=tmp_path, env={"WEB_CONCURRENCY": "2"}) as process:
        await echoes(process)


async def test_a_server_that_was_killed_leaves_nothing_that_keeps_the_next_from_starting(
    tmp_path: Path,
) -> None:
    arguments = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    with running(*arguments, folder=tmp_path) as first:
        async with connect(first.ws("/ws/echo/")):
            os.kill(first.popen.pid, signal.SIGKILL)
            first.popen.wait()
    with running(*arguments, folder=tmp_path, port=first.port) as second:
        await echoes(second)


async def echoes(process: Process) -> None:
    async with connect(process.ws("/ws/echo/")) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
