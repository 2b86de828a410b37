"""File descriptors: each connection takes one, and a shell often gives a process 1,024.

As many as the system allows are asked for at the start. When they are used up nevertheless, nobody
new gets in until one is free; that is said in one line a minute, not in one for each try.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from django.conf import settings

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

# Beside those for connections: files, the database, the loop, HTTP.
OTHERS = 1_000

# Part of all descriptors that connections may have before it is said.
ALARM = 0.75

# Seconds between two lines that say that there are none left.
QUIET = 60.0

logger = logging.getLogger("realtime")


def ask_for_enough() -> None:
    """Raise the soft limit of this process as far as it may, and no further than is of use."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.REALTIME_MAX_CONNECTIONS + OTHERS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError) as error:  # macOS says no to more than 10,240
            logger.info("No more than %d file descriptors: %s", soft, error)


def complain_once() -> None:
    """asyncio's loop writes a traceback for each connection that it cannot accept."""
    loop = asyncio.get_running_loop()
    if isinstance(loop.get_exception_handler(), Complaint):
        return
    loop.set_exception_handler(Complaint(loop.get_exception_handler()))


class Line:
    """Says something once a minute, however often it is the case."""

    def __init__(self) -> None:
        self._said_at = float("-inf")

    def say(self, now: float, text: str, *values: object) -> None:
        if now - self._said_at >= QUIET:
            self._said_at = now
            logger.error(text, *values)


_low = Line()


def say_when_low(connections: int, now: float) -> None:
    """uvloop hangs up on whoever comes when there are none left, and tells nobody."""
    if resource is None:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and connections > limit * ALARM:
        text = "%d connections, and file descriptors for %d: `ulimit -n` gives more."
        _low.say(now, text, connections, limit)


class Complaint:
    """An exception handler that says what is the matter once a minute, and leaves all else."""

    def __init__(self, otherwise: Any) -> None:
        self._otherwise = otherwise
        self._line = Line()

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "out of system resource" not in context.get("message", ""):
            if self._otherwise is None:
                loop.default_exception_handler(context)
            else:
                self._otherwise(loop, context)
        else:
            text = "Nobody new gets in: %s. `ulimit -n` gives more."
            self._line.say(loop.time(), text, context.get("exception"))
