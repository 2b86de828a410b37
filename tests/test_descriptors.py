"""File descriptors that run out: the server says so once, and serves again when there are some."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from realtime.serving import descriptors
from tests.processes import ROOT, Process

# Runs Python with so few that 100 idle peers use them up.
FEW = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
sys.argv = sys.argv[1:]
runpy.run_module("uvicorn", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_server_that_runs_out_says_so_in_one_line_and_serves_again(
    start: Callable[..., Process], loop: str
) -> None:
    command = ["-c", FEW, "uvicorn", "app:application", "--port", "{port}", "--loop", loop]
    server = start(*command, "--no-access-log")
    crowd = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    line = "file descriptors for 64" if loop == "uvloop" else "Nobody new gets in"
    deadline = time.monotonic() + 20
    while line not in server.said() and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(server.http("/healthz"), timeout=1)
    for peer in crowd:
        peer.close()
    with httpx.Client(transport=httpx.HTTPTransport(retries=5)) as client:
        assert client.get(server.http("/healthz")).status_code == 200
    said = server.said()
    assert said.count(line) == 1
    assert len(said.splitlines()) < 12, said
    assert "Traceback" not in said
    assert server.stop() == 0


def test_as_many_as_the_connections_need_are_asked_for() -> None:
    program = (
        "import os, resource, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4000)); django.setup()\n"
        "from realtime.serving.descriptors import ask_for_enough; ask_for_enough()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "(4000, 4000)"


def test_a_system_that_gives_no_more_does_not_stop_the_start(
    monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    descriptors.ask_for_enough()
    assert logged in ([], ["No more than 256 file descriptors: not allowed to raise maximum limit"])


def test_without_limits_nothing_is_asked_or_said(
    monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr(descriptors, "resource", None)
    descriptors.ask_for_enough()
    descriptors.say_when_low(1_000_000, 0.0)
    assert logged == []


async def test_other_faults_of_the_loop_are_told_as_before(logged: list[str]) -> None:
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    descriptors.complain_once()
    descriptors.complain_once()  # it does not wrap itself
    loop.call_exception_handler({"message": "a task failed"})
    for _ in range(1_000):
        loop.call_exception_handler(
            {"message": "socket.accept() out of system resource", "exception": OSError(24, "Many")}
        )
    assert heard == [{"message": "a task failed"}]
    assert logged == ["Nobody new gets in: [Errno 24] Many. `ulimit -n` gives more."]
