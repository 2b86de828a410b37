"""A stop that ends: SIGTERM or Ctrl+C lets a server under load go within seconds, with status 0.

uvicorn tells every client 1012, and then waits for handlers that are busy and for peers that do not
read, without end; and it dies of the signal that stopped it, although it stopped well. Both are
mended from the lifespan's start, so a plain `uvicorn app:application` has it too.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from functools import partial
from typing import Any

from realtime import phase
from realtime.phase import Phase

try:
    from uvicorn.server import HANDLED_SIGNALS, Server
except ImportError:  # another server
    HANDLED_SIGNALS, Server = (), None  # type: ignore[assignment, misc]

# Seconds for handlers to finish and for peers to read what waits for them. systemd and Docker kill
# after 10 s at the soonest.
PATIENCE = 3.0

logger = logging.getLogger("realtime")


def stop_in_time() -> None:
    """Take the place of uvicorn's signal handlers. Other servers are left alone."""
    server = uvicorn_server()
    if server is None or threading.current_thread() is not threading.main_thread():
        return  # Python hands signals to the main thread only
    loop = asyncio.get_running_loop()
    for number in HANDLED_SIGNALS:
        if getattr(signal.getsignal(number), "__self__", None) is server:
            signal.signal(number, partial(_stop, server, loop))


def uvicorn_server() -> Any:
    """uvicorn's server in this process, whose method handles SIGTERM; None for another server."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if Server is not None and isinstance(server, Server) else None


def _stop(server: Any, loop: asyncio.AbstractEventLoop, number: int, _frame: object) -> None:
    if server.should_exit:
        server.force_exit = True  # the second Ctrl+C
        return
    server.should_exit = True
    phase.enter(Phase.STOPPING)
    loop.call_soon_threadsafe(loop.call_later, PATIENCE, _cut, server.server_state)


def _cut(state: Any) -> None:
    """Whoever is still there has had their time."""
    if state.tasks or state.connections:
        logger.warning(
            "Stopping: %d handlers were busy and %d connections open after %g s, and were cut.",
            len(state.tasks),
            len(state.connections),
            PATIENCE,
        )
    for task in list(state.tasks):
        task.cancel()
    for connection in list(state.connections):
        connection.transport.abort()
