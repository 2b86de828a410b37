"""The end of a loop's tick, at which all that was written in it goes out together."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Protocol

logger = logging.getLogger("realtime")


class Writer(Protocol):
    def flush(self) -> None:
        """Write what waits."""


class Tick:
    """The connections of one loop that have something to write when this tick ends."""

    __slots__ = ("_connections", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._connections: list[Writer] = []

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Tick:
        """The one of `loop`, which runs in this thread."""
        tick: Tick | None = getattr(_thread, "tick", None)
        if tick is None or tick.loop is not loop:
            tick = _thread.tick = cls(loop)
        return tick

    def add(self, connection: Writer) -> None:
        if not self._connections:
            self.loop.call_soon(self._end)
        self._connections.append(connection)

    def _end(self) -> None:
        connections, self._connections = self._connections, []
        for connection in connections:
            try:
                connection.flush()
            except Exception:
                logger.exception("A connection could not be written to")


_thread = threading.local()
