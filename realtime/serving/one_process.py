"""One process is the rule: rooms live in its memory, and a second one would have its own.

Half of the people would not hear the other half, and nothing would say so. So a server that is
started with several workers does not start.

There is no lock file, so none can be left over by a power cut and keep a server from starting.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
from typing import Any

SENTENCE = (
    "This server keeps its rooms in memory, so it runs in one process, and {count} workers were "
    "asked for. Start it without --workers and WEB_CONCURRENCY, or with 1."
)

# uvicorn's status; on Windows a process is killed with one.
STARTUP_FAILURE = 3

# They do not tell their workers how many there are.
SILENT = ("granian", "hypercorn")

# Held by the first of several workers, as long as it lives.
_place: socket.socket | None = None


def refusal(server: Any) -> str | None:
    """Why uvicorn's `server`, or another one (None), must not start, or None."""
    if server is None:
        return SENTENCE.format(count="several") if _has_sibling() else None
    count = _workers(server)
    return SENTENCE.format(count=count) if count > 1 else None


def end_supervisor() -> None:
    """After a refusal: uvicorn's parent, if there is one, must not end well.

    It hands the status of a worker on only where there is one (uvicorn/main.py, 0.54), so a service
    would be taken for one that was stopped. It catches every signal that could say so politely.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None and _is_of_uvicorn():
        with contextlib.suppress(OSError):
            os.kill(parent.pid, getattr(signal, "SIGKILL", STARTUP_FAILURE))


def _is_of_uvicorn() -> bool:
    """Whether uvicorn made this process, and not a program that runs a server in one of its own."""
    target = getattr(multiprocessing.current_process(), "_target", None)
    return getattr(target, "__module__", "") == "uvicorn._subprocess"


def _has_sibling() -> bool:
    """Whether the same granian or hypercorn has another worker here: seen on Linux only.

    The first takes a name that is its parent's alone; Linux gives it back when the process ends.
    """
    global _place
    is_worker = multiprocessing.parent_process() and not sys.modules.keys().isdisjoint(SILENT)
    if _place is not None or not is_worker or sys.platform != "linux":
        return False
    place = socket.socket(socket.AF_UNIX)
    try:
        place.bind(f"\0realtime-{os.getppid()}")
    except OSError:
        place.close()
        return True
    _place = place
    return False


def _workers(server: Any) -> int:
    """As many as uvicorn has, or the gunicorn above it, whose worker it notifies."""
    if getattr(server.config, "should_reload", False):
        return 1  # uvicorn ignores the number then
    gunicorn_worker = getattr(server.config.callback_notify, "__self__", None)
    return int(getattr(gunicorn_worker, "cfg", server.config).workers)
