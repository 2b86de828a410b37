"""What the log shows of what is nobody's bug: one line, or none."""

from __future__ import annotations

import asyncio
import logging


class PeerFaults(logging.Filter):
    """For uvicorn's log: no traceback of a frame that is not UTF-8, nor of a handler cut by a stop.

    The peer has its close code 1007 already, and the stop is a line in our own log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and str(record.msg).startswith("Invalid UTF-8 sequence"):
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
