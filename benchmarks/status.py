"""What the operator's page costs the loop: `python -m benchmarks.status [CONNECTIONS] [ROOMS]`.

A real server with real sockets, in this process; what is measured is the CPU time of one answer of
/api/status/, during which the loop serves nobody else. A tenth of the members are screens.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
os.environ.setdefault("REALTIME_MAX_MEMBERS", "10000")

from django.test import RequestFactory
from websockets.asyncio.client import ClientConnection, connect

from app import application
from realtime.hub import serve_here
from realtime.testing import ServerAddress, serving
from realtime.web import operate, status
from realtime.web.samples import EVERY, KEPT, Sample

REPEATS = 30
AT_ONCE = 50


async def main(connections: int = 5_000, rooms: int = 1_000) -> None:
    async with serving(application) as server:
        sockets: list[ClientConnection] = []
        for start in range(0, connections, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, connections))
            sockets += await asyncio.gather(*(_enter(server, n, n % rooms) for n in numbers))
        get = RequestFactory().get
        await status.status(get("/"))
        _fill_samples()
        print(f"{connections:,} connections, {len(serve_here().rooms):,} rooms")
        await _time("status", lambda: status.status(get("/?series=1")))
        await _time("members of a room", lambda: operate.members(get("/"), room="r0"))
        for socket in sockets:
            socket.transport.abort()


async def _enter(server: ServerAddress, number: int, room: int) -> ClientConnection:
    url = server.ws(f"/ws/rooms/r{room}/?client={number}")
    socket = await connect(url, max_queue=None, ping_interval=None, compression=None, proxy=None)
    if number % 10 == 0:
        await socket.send('{"type": "state", "state": {"screen": true}}')
    return socket


def _fill_samples() -> None:
    """As after ten minutes."""
    sampler = status._current
    assert sampler is not None
    start = serve_here().clock.time()
    for n in range(1, KEPT + 2):
        sampler.samples.add(Sample(start + n * EVERY, 1, 2, 3, n, 2 * n, 3 * n, 0.1, 1_000))


async def _time(name: str, call: Callable[[], Awaitable[Any]]) -> None:
    spent = []
    for _ in range(REPEATS):
        before = time.thread_time()
        answer = await call()
        spent.append((time.thread_time() - before) * 1000)
    print(
        f"{name}: {statistics.median(spent):.1f} ms in the median, {max(spent):.1f} at most; "
        f"{len(answer.content):,} bytes"
    )


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
