"""Real processes for the tests: a server as a user starts it, and commands that end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
STOP_TIMEOUT = 15
NOTHING: Mapping[str, str] = {}


@dataclass
class Process:
    """A server that runs."""

    popen: subprocess.Popen[str]
    port: int
    log: Path

    def http(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ws(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def said(self) -> str:
        """All that it has written so far."""
        return self.log.read_text(errors="backslashreplace")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status, once it has ended."""
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        try:
            return self.popen.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            pytest.fail(f"the server did not stop:\n{self.said()}")


def variables(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without the project's settings, and with `changes`."""
    ours = ("REALTIME_", "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "CSRF_", "DJANGO_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # ServeStatic leaves a file to the garbage collector when its reader hangs up.
    warnings = {"PYTHONWARNINGS": "default,ignore::ResourceWarning", "PYTHONUNBUFFERED": "1"}
    return kept | warnings | dict(changes)


def run(
    *arguments: str, cwd: Path = ROOT, env: Mapping[str, str] = NOTHING
) -> subprocess.CompletedProcess[str]:
    """Run Python with `arguments` to its end; never raises for its status."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=variables(env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@contextlib.contextmanager
def running(
    *arguments: str,
    folder: Path,
    cwd: Path = ROOT,
    port: int = 0,
    says: str = "",
    env: Mapping[str, str] = NOTHING,
) -> Iterator[Process]:
    """A server by Python with `arguments`, while the block runs; its log is in `folder`.

    `{port}` stands for a free port, in the variables too. It is up when it answers or, with
    `says`, has said that.
    """
    port = port or free_port()
    log = folder / f"server-{port}.log"
    with log.open("a") as output:
        popen = subprocess.Popen(
            [sys.executable, *(part.format(port=port) for part in arguments)],
            cwd=cwd,
            env=variables({"REALTIME_DATABASE": str(folder / "db.sqlite3")})
            | {name: value.format(port=port) for name, value in env.items()},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            text=True,
        )
    process = Process(popen, port, log)
    try:
        _wait_until_up(process, says)
        yield process
    finally:
        process.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_until_up(process: Process, says: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.popen.poll() is not None:
            pytest.fail(f"the server did not start:\n{process.said()}")
        if says in process.said() if says else _answers(process):
            return
        time.sleep(0.05)  # polling another process: there is no event to wait for
    pytest.fail(f"the server is not up after 30 s:\n{process.said()}")


def _answers(process: Process) -> bool:
    try:
        httpx.get(process.http("/healthz"), timeout=5)
    except httpx.TransportError:
        return False
    return True
