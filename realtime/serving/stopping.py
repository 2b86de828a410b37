"""A stop that ends: SIGTERM or Ctrl+C lets a server under load go within seconds, with status 0.

uvicorn tells every client 1012, and then waits for handlers that are busy and for peers that do not
read, without end; and it dies of the signal that stopped it, although it stopped well. Python waits
for threads, which nobody can cancel: those of a sync view, or of `database_sync_to_async`. All is
mended from the lifespan's start, so a plain `uvicorn app:application` has it too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
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
PATIENCE = 2.5

# Seconds for handlers to notice that their peer was cut.
NOTICE = 0.2

# Seconds for the process to end by itself, once the server has.
LAST_STEP = 0.5

# Ends each answer that has no end of its own, such as an event stream: uvicorn would wait for it.
endless: set[Callable[[], object]] = set()

logger = logging.getLogger("realtime")


# Whether a signal asked this process to stop, and not a test that serves within its own.
_is_asked = False


def stop_in_time(on_stop: Callable[[], object] = lambda: None) -> None:
    """Take the place of uvicorn's signal handlers. Other servers are left alone.

    `on_stop` is called in the loop when the first signal has come.
    """
    server = uvicorn_server()
    if server is None or threading.current_thread() is not threading.main_thread():
        return  # Python hands signals to the main thread only
    loop = asyncio.get_running_loop()
    for number in HANDLED_SIGNALS:
        if getattr(signal.getsignal(number), "__self__", None) is server:
            signal.signal(number, partial(_stop, server, loop, on_stop))


def uvicorn_server() -> Any:
    """uvicorn's server in this process, whose method handles SIGTERM; None for another server."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if Server is not None and isinstance(server, Server) else None


def has_stopped(*, all_ended: bool = True) -> None:
    """The server has: nothing is left to be done but to end, whatever threads are busy with.

    Without `all_ended` there are tasks that cannot be cancelled, and asyncio would wait for them.
    """
    if _is_asked:
        target = _end if all_ended else _end_at_once
        threading.Thread(target=target, name="end", daemon=True).start()


def _stop(
    server: Any,
    loop: asyncio.AbstractEventLoop,
    on_stop: Callable[[], object],
    number: int,
    _frame: object,
) -> None:
    global _is_asked
    if server.should_exit:
        server.force_exit = True  # the second Ctrl+C
        has_stopped()
        return
    _is_asked = server.should_exit = True
    phase.enter(Phase.STOPPING)
    loop.call_soon_threadsafe(_end_endless)
    loop.call_soon_threadsafe(loop.call_later, PATIENCE, _cut, server.server_state)
    loop.call_soon_threadsafe(on_stop)


def _end() -> None:
    """Python waits for every thread that is no daemon; this one waits no longer."""
    time.sleep(LAST_STEP)
    main = threading.main_thread()
    busy = [thread.name for thread in threading.enumerate() if not thread.daemon]
    if busy in ([], [main.name]):
        return
    logger.warning(
        "Stopping: %d threads were busy, and were cut: %s.",
        len(busy) - 1,
        ", ".join(set(busy) - {main.name}),
    )
    _exit()


def _end_at_once() -> None:
    """What was cut has been told; the server's own last lines get their time."""
    time.sleep(LAST_STEP)
    _exit()


def _exit() -> None:
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)


def _end_endless() -> None:
    for end in list(endless):
        end()


def _cut(state: Any) -> None:
    """Whoever is still there has had their time."""
    if state.tasks or state.connections:
        logger.warning(
            "Stopping: %d handlers were busy and %d connections open after %g s, and were cut.",
            len(state.tasks),
            len(state.connections),
            PATIENCE,
        )
    for connection in list(state.connections):
        connection.transport.abort()
    # First who is gone: Django leaves a traceback where a request is cancelled before its client.
    asyncio.get_running_loop().call_later(NOTICE, _cancel, state)


def _cancel(state: Any) -> None:
    for task in list(state.tasks):
        task.cancel()
