"""A real server for tests: uvicorn on a free port, in the test's own event loop.

Being in the same loop, a test can look at the server's state without a lock, and needs no sleep
to know that the server is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import uvicorn

READY_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server listens, and the uvicorn behind it."""

    host: str
    port: int
    server: uvicorn.Server

    def http(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.port}{path}"

    def ws(self, path: str) -> str:
        return f"ws://{self.host}:{self.port}{path}"


@contextlib.asynccontextmanager
async def serving(application: Any, **options: Any) -> AsyncIterator[ServerAddress]:
    """Serve `application` while the block runs; `options` are uvicorn's."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    host, port = listener.getsockname()
    options = {"log_config": None, "timeout_graceful_shutdown": 2, "lifespan": "on"} | options
    server = uvicorn.Server(uvicorn.Config(application, **options))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _started(server, task)
        yield ServerAddress(host, port, server)
    finally:
        server.should_exit = True
        await task
        listener.close()


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(READY_TIMEOUT):
        while not server.started:
            if task.done():
                raise RuntimeError("the server did not start") from task.exception()
            await asyncio.sleep(0.005)
