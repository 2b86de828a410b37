"""What the log shows of a peer's fault: one line. Tracebacks are for faults of ours."""

from __future__ import annotations

import logging


class PeerFaults(logging.Filter):
    """Takes the traceback off uvicorn's record of a frame that is not UTF-8.

    The peer has its close code 1007 already; the stack says nothing that the line does not.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and str(record.msg).startswith("Invalid UTF-8 sequence"):
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True
