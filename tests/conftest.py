"""What all tests share: a real server in the test's loop, and one as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from realtime.testing import ServerAddress, serving

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Process:
    """A server started as a user starts it."""

    popen: subprocess.Popen[str]
    port: int
    log: Path

    def http(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def ws(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


@pytest.fixture
async def server() -> AsyncIterator[ServerAddress]:
    """The project's own application on real uvicorn, in this loop."""
    from app import application

    async with serving(application) as address:
        yield address


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a server process: `start("-m", "uvicorn", "app:application", "--port", "{port}")`."""
    started: list[Process] = []

    def start_process(*arguments: str, cwd: Path = ROOT, **environment: str) -> Process:
        port = free_port()
        log = tmp_path / f"server-{port}.log"
        command = [sys.executable, *(part.format(port=port) for part in arguments)]
        variables = os.environ | {"REALTIME_DATABASE": str(tmp_path / "db.sqlite3")} | environment
        with log.open("w") as output:
            popen = subprocess.Popen(
                command, cwd=cwd, env=variables, stdout=output, stderr=output, text=True
            )
        process = Process(popen, port, log)
        started.append(process)
        _wait_until_up(process)
        return process

    yield start_process
    for process in started:
        process.popen.kill()
        process.popen.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_until_up(process: Process) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.popen.poll() is not None:
            pytest.fail(f"the server did not start:\n{process.log.read_text()}")
        try:
            httpx.get(process.http("/healthz"), timeout=5)
        except httpx.TransportError:
            time.sleep(0.05)  # polling another process: there is no event to wait for
        else:
            return
    pytest.fail(f"the server is not up after 30 s:\n{process.log.read_text()}")
