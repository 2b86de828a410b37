"""A network, clock, disk and processes that fail: what was promised is kept, and all heal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import override_settings
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from realtime.hub import serve_here
from realtime.testing import ServerAddress
from tests.browsers import COMMAND
from tests.processes import ROOT, Process, running
from tests.proxy import Proxy, proxy_to
from tests.raw import upgrade
from tests.wire import Client, View, joined, until

MESSAGES = int(os.environ.get("FAULT_MESSAGES", "400"))

# A client that has heard nothing for so many seconds looks for another connection.
WATCHDOG = 0.4


# --- The network ---------------------------------------------------------------------------------


def reset(proxy: Proxy) -> None:
    proxy.cut()


def swallow(proxy: Proxy) -> None:
    proxy.is_swallowing = True


def half_close(proxy: Proxy) -> None:
    proxy.half_close()


def slow_down(proxy: Proxy) -> None:
    proxy.delay = 0.005


def trickle(proxy: Proxy) -> None:
    proxy.trickle = 3


def nothing(proxy: Proxy) -> None:
    """What the client does to itself: it connects twice, and drops the older one later."""


FAULTS = [reset, swallow, half_close, slow_down, trickle, nothing]


class Reader:
    """Reads a room through a bad network, and comes back as the wire says one does."""

    def __init__(self, proxy: Proxy, server: ServerAddress) -> None:
        self.address = ServerAddress(server.host, proxy.port, server.server)
        self.view = View()
        self.connections = 0

    async def read(self, last: int) -> None:
        while self.view.offset < last:
            self.connections += 1
            with contextlib.suppress(OSError, TimeoutError, WebSocketException, EOFError):
                async with (
                    asyncio.timeout(10),
                    joined(self.address, view=self.view, client="reader") as client,
                ):
                    await self._listen(client, last)
            self.view.lost()

    async def _listen(self, client: Client, last: int) -> None:
        while self.view.offset < last:
            async with asyncio.timeout(WATCHDOG):
                await client.frame()


@pytest.mark.parametrize("fault", [*FAULTS, None], ids=lambda f: getattr(f, "__name__", "all"))
@pytest.mark.timeout(300)
async def test_who_comes_back_has_each_message_once_and_in_order(
    server: ServerAddress, fault: Callable[[Proxy], None] | None
) -> None:
    chance = random.Random(7)
    with override_settings(REALTIME_HISTORY_SIZE=MESSAGES, REALTIME_MAX_MEMBERS=1_000):
        async with joined(server, name="Witness") as witness, proxy_to(server.port) as proxy:
            reader = Reader(proxy, server)
            reading = asyncio.create_task(reader.read(MESSAGES))
            for number in range(1, MESSAGES + 1):
                serve_here().rooms["kitchen"].publish(number)
                if number % 40 == 0:
                    (fault or chance.choice(FAULTS))(proxy)
                    await asyncio.sleep(WATCHDOG / 4)
                    proxy.is_swallowing, proxy.delay, proxy.trickle = False, 0.0, 0
                await asyncio.sleep(0)
            await asyncio.wait_for(reading, 120)
            assert reader.view.recovered[0] is None
            assert set(reader.view.recovered[1:]) <= {True}
            first = MESSAGES - len(reader.view.messages) + 1
            assert list(reader.view.messages.values()) == list(range(first, MESSAGES + 1))
            while witness.view.offset < MESSAGES:
                await witness.frame()
            assert list(witness.view.messages.values()) == list(range(1, MESSAGES + 1))


async def test_a_connection_that_takes_over_hears_all_though_the_older_lives_on(
    server: ServerAddress,
) -> None:
    """Reordered by reconnecting: what the older one sends may come after the newer one's."""
    view = View()
    async with joined(server, client="c") as witness, joined(server, client="d", view=view) as old:
        await old.send("message", data="old 1", ref=1)
        await old.next("message")
        newer = View()
        newer.epoch, newer.offset = view.epoch, view.offset
        async with joined(server, client="d", view=newer) as new:
            await new.send("message", data="new", ref=2)
            await old.send("message", data="old 2", ref=3)
            for client in (witness, old, new):
                while client.view.offset < 3:
                    await client.frame()
        assert len(view.members) == 2


# --- Processes -----------------------------------------------------------------------------------


@pytest.fixture
def target(start: Callable[..., Process]) -> Process:
    command = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    return start(*command, REALTIME_SEND_TIMEOUT="1", REALTIME_GRACE="60")


def heard(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        frame: dict[str, Any] = json.loads(socket.recv(timeout=20))
        if frame["type"] == kind:
            return frame


def say(socket: Any, data: Any, ref: int) -> None:
    socket.send(json.dumps({"type": "message", "data": data, "ref": ref}))


def test_a_server_that_stood_still_goes_on_where_it_was(target: Process) -> None:
    with (
        connect(target.ws("/ws/rooms/r/?name=Ada")) as ada,
        connect(target.ws("/ws/rooms/r/")) as b,
    ):
        heard(ada, "welcome"), heard(b, "welcome")
        target.popen.send_signal(signal.SIGSTOP)
        for number in range(5):
            say(ada, number, number)
        target.popen.send_signal(signal.SIGCONT)
        assert [heard(b, "message")["data"] for _ in range(5)] == [0, 1, 2, 3, 4]
        assert [heard(ada, "ack")["offset"] for _ in range(5)] == [1, 2, 3, 4, 5]


def test_after_a_power_cut_the_same_address_serves_and_says_that_there_is_a_gap(
    target: Process, tmp_path: Path
) -> None:
    with connect(target.ws("/ws/rooms/r/")) as socket:
        before = heard(socket, "welcome")
        say(socket, "kept in memory only", 1)
        heard(socket, "ack")
        target.popen.kill()
        with pytest.raises(ConnectionClosed):
            heard(socket, "never")
    target.popen.wait()
    command = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    with running(*command, folder=tmp_path, port=target.port) as again:
        query = f"?epoch={before['epoch']}&offset=1"
        with connect(again.ws(f"/ws/rooms/r/{query}")) as socket:
            welcome = heard(socket, "welcome")
    assert welcome["recovered"] is False
    assert welcome["epoch"] != before["epoch"]


CLIENT = """
import sys
from websockets.sync.client import connect
with connect(sys.argv[1], max_size=None) as socket:
    while True:
        print(socket.recv()[:20], flush=True)
"""


@pytest.fixture
def far_end(target: Process) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", CLIENT, target.ws("/ws/rooms/r/?client=far")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "welcome" in process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_client_that_dies_or_stands_still_is_shown_as_away_and_delays_nobody(
    target: Process, far_end: subprocess.Popen[str], how: signal.Signals
) -> None:
    with connect(target.ws("/ws/rooms/r/?client=near"), max_size=None) as near:
        heard(near, "welcome")
        far_end.send_signal(how)
        slowest, is_away, number = 0.0, False, 0
        deadline = time.monotonic() + 40
        while not is_away and time.monotonic() < deadline:
            number += 1
            sent = time.monotonic()
            body = {"data": "x" * 50_000}
            httpx.post(target.http("/api/rooms/r/messages/"), json=body).raise_for_status()
            while (frame := json.loads(near.recv(timeout=20)))["type"] != "message":
                is_away |= any(each["away"] for each in frame.get("updates", ()))
            slowest = max(slowest, time.monotonic() - sent)
        assert is_away
        assert slowest < 5, "its 1 s of patience may not be felt by the others"
    far_end.send_signal(signal.SIGKILL)
    assert "Traceback" not in target.said()


# --- Clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [-10 * 365 * 86_400.0, 10 * 365 * 86_400.0])
async def test_a_step_of_the_wall_clock_drops_nobody_and_forgets_nothing(
    server: ServerAddress, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    view, wall = View(), time.time
    async with (
        joined(server, name="Ada", client="ada") as ada,
        joined(server, client="c", view=view),
    ):
        await ada.send("message", data="before", ref=1)
        await ada.next("ack")
        monkeypatch.setattr(time, "time", lambda: wall() + step)
        await ada.send("message", data="after", ref=2)
        assert (await ada.next("ack"))["offset"] == 2
    view.lost()
    async with joined(server, client="c", view=view) as back:
        assert back.welcome["recovered"] is True
        assert list(view.messages.values()) == ["before", "after"]


def test_nothing_but_what_is_displayed_asks_the_wall_clock() -> None:
    asking = {
        path.name
        for path in (ROOT / "realtime").rglob("*.py")
        if re.search(r"\btime\.time\(|datetime\.now\(|timezone\.now\(|utcnow\(", path.read_text())
    }
    # The `at` of a message, of an answer, of a line on the terminal.
    shown = {"rooms.py", "status.py", "watch.py"}
    # Over a restart there is no other clock; and the doctor's question is whether it is right.
    assert asking <= shown | {"hub.py", "snapshot_file.py", "machine.py"}


# --- The disk ------------------------------------------------------------------------------------

# As on a full disk: no file may become longer than so many bytes.
FULL = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def test_a_full_disk_at_the_first_start_is_said_in_one_sentence(tmp_path: Path) -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "from pathlib import Path; from realtime.environment import secret_key\n"
        f"secret_key(Path({str(tmp_path)!r}) / 'key')"
    )
    # The measuring of coverage would write a file of its own.
    measured = {key: value for key, value in os.environ.items() if "COVERAGE" not in key}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=measured,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("No secret key can be stored in")
    assert "set SECRET_KEY in the environment" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_disk_that_becomes_full_takes_the_log_and_no_more(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    """Each refused path is a line in the log, until no line fits."""
    command = ["-c", FULL, "20000", "uvicorn", "app:application", "--port", "{port}"]
    server = start(*command, SECRET_KEY="k" * 60)
    with httpx.Client(base_url=server.http("")) as browser:
        for number in range(400):
            assert browser.get(f"/{number:0100}").status_code == 404
        assert server.log.stat().st_size == 20_000
        answer = browser.get("/accounts/login/")
        form = {"csrfmiddlewaretoken": answer.cookies["realtime_csrf"], "username": "a"}
        answer = browser.post("/accounts/login/", data=form | {"password": "b"})
        assert answer.status_code == 503
        assert browser.get("/healthz").status_code == 200
    with connect(server.ws("/ws/rooms/r/")) as socket:
        heard(socket, "welcome")
        say(socket, "memory is not full", 1)
        assert heard(socket, "ack")["offset"] == 1


# --- Memory --------------------------------------------------------------------------------------


async def test_readers_who_stand_still_hold_no_more_than_their_outbox(
    server: ServerAddress,
) -> None:
    with override_settings(REALTIME_OUTBOX_BYTES=131_072, REALTIME_SEND_TIMEOUT=30.0):
        async with joined(server, name="Ada") as ada:
            stuck = []
            for _ in range(20):
                reader, writer = await asyncio.open_connection(server.host, server.port)
                writer.write(upgrade(b"/ws/rooms/kitchen/"))
                await reader.readuntil(b"\r\n\r\n")
                writer.transport.pause_reading()  # type: ignore[attr-defined]
                stuck.append(writer)
            room = serve_here().rooms["kitchen"]
            await until(lambda: len(room.seats) == 21)
            for number in range(400):  # 24 MB: more than the kernel holds for each
                room.publish("x" * 60_000)
                while ada.view.offset <= number:
                    await ada.frame()
            assert [seat.member_id for seat in room.seats.values()] == [ada.view.member]
            for writer in stuck:
                writer.transport.abort()


def resident(server: Process, field: str) -> float:
    """MB that the process takes ("VmRSS"), or has taken at most ("VmHWM")."""
    status = Path(f"/proc/{server.popen.pid}/status").read_text()
    [kilobytes] = re.findall(rf"{field}:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="what memory a process takes is read in /proc")
def test_large_messages_into_invented_rooms_take_no_more_memory_than_rooms_may(
    start: Callable[..., Process],
) -> None:
    server = start(*COMMAND, REALTIME_HISTORY_TOTAL_BYTES="16777216")
    with httpx.Client(base_url=server.http("")) as script:
        assert script.get("/api/rooms/").status_code == 200
        before = resident(server, "VmRSS")
        for number in range(1200):  # 72 MB
            path = f"/api/rooms/r{number % 200}/messages/"
            assert script.post(path, json={"data": "x" * 60_000}).status_code == 201
    assert resident(server, "VmHWM") < before + 32
    assert "Rooms remember all that REALTIME_HISTORY_TOTAL_BYTES allows (16 MiB)" in server.said()
