"""What systemd is told: by a real server process, to a socket that we listen at."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from realtime.serving.sd_notify import Notifier, _interval
from tests.processes import ROOT, Process

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no sockets of Unix here")

Start = Callable[..., Process]
WATCHDOG = 1.0

# A project with one page that holds up the loop for longer than any watchdog waits.
STUCK = """
import sys, time
sys.path.insert(0, {root!r})
from app import application as real

async def application(scope, receive, send):
    if scope.get("path") == "/stuck":
        time.sleep(60)
    await real(scope, receive, send)
"""


class Listener:
    """systemd's end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(b"\0" + address[1:].encode() if address[0] == "@" else address)

    def next(self, timeout: float = 30) -> list[str]:
        self.socket.settimeout(timeout)
        return self.socket.recv(4096).decode().split("\n")

    def until(self, line: str) -> list[str]:
        """The message with that line."""
        while line not in (said := self.next()):
            pass
        return said

    def is_silent_for(self, seconds: float) -> bool:
        try:
            self.next(seconds)
        except TimeoutError:
            return True
        return False


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    with listener.socket:
        yield listener


def variables(listener: Listener) -> dict[str, str]:
    return {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": str(int(WATCHDOG * 1e6))}


@pytest.mark.parametrize(
    "command",
    [
        ("app.py", "--host", "127.0.0.1", "--port", "{port}"),
        ("-m", "uvicorn", "app:application", "--port", "{port}"),
    ],
    ids=["app.py", "uvicorn"],
)
def test_ready_comes_when_it_serves_then_pings_then_stopping(
    start: Start, listener: Listener, command: tuple[str, ...]
) -> None:
    process = start(*command, **variables(listener))
    assert "STATUS=0 connections in 0 rooms" in listener.until("READY=1")
    socket.create_connection(("127.0.0.1", process.port)).close()
    for _ in range(3):
        listener.until("WATCHDOG=1")
    process.popen.send_signal(signal.SIGTERM)
    listener.until("STOPPING=1")
    assert process.popen.wait(10) == 0


def test_it_accepts_connections_at_the_moment_it_says_so(
    start: Start, listener: Listener, tmp_path: Path
) -> None:
    """Asked by a thread as soon as the word is there, not when the fixture has found it up."""
    import threading

    answers: list[int] = []

    def ask() -> None:
        listener.until("READY=1")
        [log] = tmp_path.glob("server-*.log")
        port = int(log.stem.partition("-")[2])
        answers.append(httpx.get(f"http://127.0.0.1:{port}/healthz").status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    start("-m", "uvicorn", "app:application", "--port", "{port}", **variables(listener))
    asking.join(30)
    assert answers == [200]


def test_pings_end_when_the_loop_is_stuck(start: Start, listener: Listener, tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(STUCK.format(root=str(ROOT)))
    command = ("-m", "uvicorn", "stuck:application", "--port", "{port}", "--app-dir", str(tmp_path))
    process = start(*command, **variables(listener))
    listener.until("WATCHDOG=1")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(process.http("/stuck"), timeout=0.5)
    while not listener.is_silent_for(WATCHDOG):
        pass  # what was said before
    assert listener.is_silent_for(WATCHDOG)
    process.popen.kill()


async def test_an_abstract_socket_is_told_too() -> None:
    name = f"@realtime-{os.getpid()}"
    listener = Listener(name)
    with listener.socket:
        notifier = Notifier({"NOTIFY_SOCKET": name}, lambda: "well")
        notifier.start(lambda: True)
        assert listener.next() == ["STATUS=well"]
        assert listener.next() == ["READY=1", "STATUS=well"]
        notifier.end()


async def test_without_a_watchdog_there_are_no_pings_and_with_nobody_there_nothing() -> None:
    for address in ("", "/nowhere/at/all", "vsock:2:1234", "@"):
        notifier = Notifier({"NOTIFY_SOCKET": address}, lambda: "well")
        notifier.start(lambda: True)
        notifier.stopping()
        notifier.end()


async def test_ready_waits_for_the_server(listener: Listener) -> None:
    is_ready = asyncio.Event()
    notifier = Notifier({"NOTIFY_SOCKET": listener.address}, lambda: "well")
    notifier.start(is_ready.is_set)
    assert listener.next() == ["STATUS=well"]
    await asyncio.sleep(0)
    listener.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.socket.recv(4096)
    is_ready.set()
    assert (await asyncio.to_thread(listener.next))[0] == "READY=1"
    notifier.end()


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("30000000", "", 15.0),
        ("30000000", "mine", 15.0),
        ("30000000", "1", None),
        ("0", "", None),
        ("", "", None),
        ("soon", "", None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(usec: str, pid: str, seconds: float | None) -> None:
    pid = str(os.getpid()) if pid == "mine" else pid
    assert _interval({"WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}) == seconds
