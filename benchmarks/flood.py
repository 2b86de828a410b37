"""What a flood does to those beside it.

python -m benchmarks.flood                 each flood for 10 s, and a table of what a witness saw
python -m benchmarks.flood --seconds 60    longer; --only loris,large for some

The witness is one member in another room, or the same, who sends a message every 60 ms and waits
until it has come back: its times before, during and after, and whether all of its messages came.
Server and floods are processes of their own; a flood is on the other core where there are two.
"""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import cache
from benchmarks.flooders import FLOODERS, enter, frame
from benchmarks.machine import description
from benchmarks.processes import LOAD_CORE, SERVER_CORE, free_port

# Room for the floods: the defaults would refuse 5,000 members and 10,000 connections and more.
SETTINGS = {
    "REALTIME_MAX_MEMBERS": "6000",
    "REALTIME_MAX_CONNECTIONS": "20000",
    "REALTIME_MAX_ROOMS": "2000",
    "SECRET_KEY": "benchmark " * 6,
}
PACE = 0.06  # s between two messages of the witness: it may send 20 a second


@dataclass
class Row:
    name: str
    what: str = ""
    before: list[float] = field(default_factory=list)
    during: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    memory: tuple[float, float, float] = (0.0, 0.0, 0.0)  # MB: before, most, after
    lost: int = 0

    def text(self) -> str:
        times = [
            f"{ms(each, 50)} / {ms(each, 99)}" for each in (self.before, self.during, self.after)
        ]
        memory = " → ".join(f"{value:.0f}" for value in self.memory)
        return f"| {self.name} | {self.what} | {' | '.join(times)} | {memory} | {self.lost} |"


HEAD = """| flood | how much | before, ms p50 / p99 | during | after | memory, MB | lost |
|---|---|---|---|---|---|---|"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="What a flood does to those beside it.")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each flood")
    parser.add_argument("--scale", type=float, default=1.0, help="of their size; 1 is the promise")
    parser.add_argument("--only", default="", help=f"of {','.join(FLOODERS)}")
    options = parser.parse_args(arguments)
    names = options.only.split(",") if options.only else list(FLOODERS)
    print(f"{description()}\n\n{HEAD}", flush=True)
    rows = [flood(name, options.seconds, options.scale) for name in names]
    return 1 if any(row.lost for row in rows) else 0


def flood(name: str, seconds: float, scale: float, *, rest: float = 3) -> Row:
    """One row. `rest` are the seconds of calm before and after that are measured."""
    with serving() as (port, pid), contextlib.closing(Witness(port)) as witness:
        row = Row(name)
        row.before = witness.watch(seconds=rest)
        begin = memory(pid)
        most = begin
        with start(name, port, seconds, scale) as process:
            while process.poll() is None:
                row.during += witness.watch(seconds=0.5)
                most = max(most, memory(pid))
            row.what = (process.stdout.read() if process.stdout else "").strip() or "it failed"
        time.sleep(rest / 3)
        row.after = witness.watch(seconds=rest)
        row.memory, row.lost = (begin, most, memory(pid)), witness.lost
    print(row.text(), flush=True)
    return row


def start(name: str, port: int, seconds: float, scale: float) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.flooders",
        name,
        str(port),
        str(seconds),
        str(scale),
    ]
    process = subprocess.Popen(command, cwd=cache.ROOT, stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, {LOAD_CORE})
    return process


@contextlib.contextmanager
def serving() -> Iterator[tuple[int, int]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app:application", "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--log-level", "error"],
            cwd=cache.ROOT,
            env={**os.environ, **SETTINGS},
            stdout=log,
            stderr=log,
        )
        os.sched_setaffinity(process.pid, {SERVER_CORE})
        try:
            _wait(port)
            yield port, process.pid
        finally:
            process.kill()
            process.wait()


def _wait(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("The server did not start.")


class Witness:
    """Says numbers, and measures until each has come back."""

    def __init__(self, port: int) -> None:
        self.lost, self._number, self._data = 0, 0, b""
        self._peer = enter(port, "/ws/rooms/calm/")
        self._peer.settimeout(30)

    def close(self) -> None:
        self._peer.close()

    def watch(self, *, seconds: float) -> list[float]:
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            if self._say():
                times.append(time.monotonic() - begin)
            time.sleep(max(0.0, PACE - (time.monotonic() - begin)))
        return times

    def _say(self) -> bool:
        self._number += 1
        mark = b"witness-%d;" % self._number
        try:
            self._peer.sendall(frame(b'{"type":"message","data":"%s"}' % mark))
            while mark not in self._data:
                part = self._peer.recv(1 << 20)
                if not part:
                    raise ConnectionError
                self._answer_pings(part)
                self._data = self._data[-100:] + part
        except OSError:
            self.lost += 1
            return False
        return True

    def _answer_pings(self, part: bytes) -> None:
        """uvicorn's, of 4 bytes; no text here has the byte that they begin with."""
        place = part.find(b"\x89\x04")
        if place >= 0:
            payload = part[place + 2 : place + 6]
            self._peer.sendall(b"\x8a\x84" + bytes(4) + payload)


def ms(times: list[float], percent: int) -> str:
    if not times:
        return "–"
    return f"{sorted(times)[min(len(times) - 1, len(times) * percent // 100)] * 1000:.1f}"


def memory(pid: int) -> float:
    """Resident, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
