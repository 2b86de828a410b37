"""What the log shows of what is nobody's bug: one line, or none."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

# What any peer makes uvicorn say with each request: a disk must not be filled that way.
REPEATED = ("Invalid HTTP request received.", "Unsupported upgrade request.")

# Seconds between two of them.
QUIET = 60.0


class PeerFaults(logging.Filter):
    """For uvicorn's log: no traceback of a frame that is not UTF-8, nor of a handler cut by a stop,
    and a minute's peace after a request that is none.

    The peer has its close code 1007 or its status 400 already, and the stop is a line in our own
    log.
    """

    def __init__(self, name: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._clock = clock
        # When each of REPEATED was said, and how often it was not since.
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and str(record.msg).startswith("Invalid UTF-8 sequence"):
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        if record.msg in REPEATED:
            return self._is_time(record)
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))

    def _is_time(self, record: logging.LogRecord) -> bool:
        now, text = self._clock(), str(record.msg)
        at, more = self._said.get(text, (float("-inf"), 0))
        if now - at < QUIET:
            self._said[text] = at, more + 1
            return False
        self._said[text] = now, 0
        if more:
            record.msg = f"{text} ({more:,} more since the last such line.)"
        return True
