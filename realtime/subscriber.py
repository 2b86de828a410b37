"""A consumer as the layer sees it: where its messages go, and when it has too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from realtime.connection import Outgoing
from realtime.mailbox import Mailbox, Message

# How long more may wait for a consumer than its capacity, in seconds, and how many times as much.
GRACE = 1.0
BURST = 10


class Sink(Protocol):
    """What takes frames at once: a connection."""

    def write(self, frame: Outgoing) -> None:
        """Never waits, never raises."""


@dataclass(slots=True, eq=False)
class Subscriber:
    """A consumer as the layer sees it."""

    mailbox: Mailbox
    capacity: int
    # Takes `websocket.send` at once; None for a consumer that handles it by itself.
    write: Callable[[Outgoing], None] | None
    # Called when it falls behind for good.
    overflow: Callable[[], None]
    groups: set[str] = field(default_factory=set)
    # Its socket has ended, and a handler is still busy: what it joins now, it does not join.
    gone: bool = False
    timer: asyncio.TimerHandle | None = None

    def deliver(self, message: Message) -> bool:
        """Into the mailbox; says whether that is half full."""
        waiting = self.mailbox.put_nowait(message)
        if waiting > self.capacity:
            self._is_full(waiting)
        return waiting * 2 >= self.capacity

    def _is_full(self, waiting: int) -> None:
        """A burst, such as everybody in a large group talking at once, is not slowness yet."""
        if waiting > self.capacity * BURST:
            self.overflow()
        elif self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(GRACE, self._judge)

    def _judge(self) -> None:
        self.timer = None
        if len(self.mailbox) > self.capacity:
            self.overflow()

    def stop(self) -> None:
        self.gone = True
        if self.timer is not None:
            self.timer.cancel()
