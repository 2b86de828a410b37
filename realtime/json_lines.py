"""A log line as one JSON object, for who collects logs: journald, Loki, CloudWatch.

Not here: what is logged, and at which level (settings.py).
"""

from __future__ import annotations

import logging
from copy import copy
from typing import Any

from pythonjsonlogger.json import JsonFormatter

# Characters of a field. What is cut from a traceback is its middle: a recursion's thousand frames.
LONGEST = 16_384


class JsonLines(JsonFormatter):
    """Fields: `time` (UTC), `level`, `logger`, `message`, `exception` after an error."""

    def __init__(self) -> None:
        super().__init__(
            "{levelname}{name}{message}",
            style="{",
            timestamp="time",
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
        )

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, dict):  # the library would take its keys for fields
            record = copy(record)
            record.msg = str(record.msg)
        return super().format(record)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        fields = super().process_log_record(log_data)
        known = ("time", "level", "logger", "message", "exception")
        return {name: cut(str(fields[name])) for name in known if name in fields}


def cut(text: str) -> str:
    """`text`, or both its ends and how much is missing between."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters … {text[-half:]}"
