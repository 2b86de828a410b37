"""python -m benchmarks.soak: a crowd comes and goes for minutes, and nothing may be left of it.

Each cycle is a time of life and a rest: everybody has gone, rooms have gone after them, garbage is
collected, and what the process then holds is counted. The first cycle warms up: caches fill, and
the allocator finds its size.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import cache, soak_report
from benchmarks.growth import EMPTY, Sample, Soak
from benchmarks.processes import free_port
from benchmarks.visitors import Crowd, follow

# Short ages, so that a room's whole life fits into a cycle. In seconds.
ENVIRONMENT = {
    "REALTIME_HISTORY_AGE": "3",
    "REALTIME_GRACE": "1",
    "REALTIME_GRACE_RELOAD": "0.5",
    "REALTIME_HEARTBEAT": "5",
}
WORTH_KEEPING = 3.0  # minutes: a shorter run overwrites nothing without --out
REST_PATIENCE = 60.0  # s for everything to be gone


async def run(soak: Soak, port: int) -> None:
    begin = time.monotonic()
    crowd = Crowd(port, soak.clients)
    for cycle in range(soak.cycles):
        crowd.come(cycle)
        end = begin + soak.minutes * 60 * (cycle + 1) / soak.cycles
        await live(soak, crowd, begin, end - expected_rest())
        await crowd.go()
        await rest(soak, crowd, begin)
        soak.rests.append(await sample(crowd, begin, "?collected"))
        soak.visits, soak.resumed, soak.faults = crowd.visits, crowd.resumed, crowd.faults
        show(soak)


def expected_rest() -> float:
    return float(ENVIRONMENT["REALTIME_HISTORY_AGE"]) + float(ENVIRONMENT["REALTIME_GRACE"]) + 1


async def live(soak: Soak, crowd: Crowd, begin: float, end: float) -> None:
    """A sample a second; three seconds of life at least."""
    end = max(end, time.monotonic() + 3)
    while time.monotonic() < end:
        await asyncio.sleep(1)
        soak.samples.append(await sample(crowd, begin))


async def rest(soak: Soak, crowd: Crowd, begin: float) -> None:
    """Until all is gone, or should have been."""
    deadline = time.monotonic() + REST_PATIENCE
    while True:
        soak.samples.append(now := await sample(crowd, begin))
        if not any(now[name] for name in EMPTY) or time.monotonic() > deadline:
            return
        await asyncio.sleep(0.5)


async def sample(crowd: Crowd, begin: float, query: str = "") -> Sample:
    now = {"at": time.monotonic() - begin, "visits": crowd.visits}
    return now | await held(crowd.port, query)


async def held(port: int, query: str = "") -> Sample:
    found: Sample = json.loads(await follow(port, f"/held{query}"))
    return found


def show(soak: Soak) -> None:
    now = soak.rests[-1]
    print(
        f"cycle {len(soak.rests)}/{soak.cycles}, {now['at']:.0f} s: {soak.visits:,} visits, "
        f"at rest {now['memory'] / 1e6:.1f} MB, {now['objects']:,} objects",
        flush=True,
    )


@contextlib.contextmanager
def server(soak: Soak) -> Iterator[int]:
    """Its port; what it says is the soak's when it has ended."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.peers.soaked:application"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--log-level", "warning"],
            cwd=cache.ROOT,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait()
            log.seek(0)
            soak.said = log.read()


async def until_up(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                await held(port)
                return
            await asyncio.sleep(0.1)


async def soaked(soak: Soak) -> None:
    with server(soak) as port:
        await until_up(port)
        await run(soak, port)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=3, help="as long as you like (%(default)s)"
    )
    parser.add_argument("--clients", type=int, default=200, help="at once (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where table and plot go")
    options = parser.parse_args()
    soak = Soak(options.minutes, options.clients)
    asyncio.run(soaked(soak))
    folder = options.out or (cache.HERE if soak.minutes >= WORTH_KEEPING else None)
    if folder:
        soak_report.write(soak, folder)
    for wrong in soak.verdict():
        print(f"FAILED: {wrong}")
    print(f"memory: {soak.growth() / 1e6:+.2f} MB after the warm-up, by the median of slopes")
    return 1 if soak.verdict() else 0


if __name__ == "__main__":
    sys.exit(main())
