"""What waits for one consumer, in the order of arrival: from its socket and from the layer.

One reader, no lock: everything here runs in the consumer's own loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]


class Mailbox:
    """The part of `asyncio.Queue` that a consumer needs, at a third of its cost."""

    __slots__ = ("_messages", "_reader", "on_empty")

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._reader: asyncio.Future[None] | None = None
        # Called, once, when all has been read. For the connection, which has one at most at a time.
        self.on_empty: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._messages)

    def put_nowait(self, message: Message) -> int:
        """Add a message; returns how many wait now."""
        self._messages.append(message)
        reader = self._reader
        if reader is not None:
            self._reader = None
            if not reader.done():  # it may have been cancelled
                reader.set_result(None)
        return len(self._messages)

    async def get(self) -> Message:
        """The oldest message; waits for one when there is none."""
        messages = self._messages
        while not messages:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        message = messages.popleft()
        if not messages and self.on_empty is not None:
            on_empty, self.on_empty = self.on_empty, None
            on_empty()
        return message
