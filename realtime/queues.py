"""Channels that anybody reads with `receive()`, as in Channels: not those of our own consumers.

Each is a bounded queue whose messages lapse when nobody reads them for `expiry` seconds. It is
there while a message or a reader waits, and has one timer at most. No wall clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from channels.exceptions import ChannelFull

from realtime.mailbox import Message


class Queue(asyncio.Queue[tuple[float, Message]]):
    """Each message stands with the time at which it lapses."""

    readers = 0
    timer: asyncio.TimerHandle | None = None

    @property
    def lapses_at(self) -> float:
        oldest: float = self._queue[0][0]  # type: ignore[attr-defined]
        return oldest


class Queues:
    """All of a layer, by channel; `on_lapse` hears of each channel whose reader has failed."""

    def __init__(
        self, expiry: float, capacity: Callable[[str], int], on_lapse: Callable[[str], None]
    ) -> None:
        self._expiry = expiry
        self._capacity = capacity
        self._on_lapse = on_lapse
        self.by_channel: dict[str, Queue] = {}

    def put(self, channel: str, message: Message, loop: asyncio.AbstractEventLoop | None) -> None:
        """Raises ChannelFull. Without a loop that stays, what lapses is found by the next read."""
        queue = self._queue(channel)
        if queue.full():
            raise ChannelFull(channel)
        queue.put_nowait((monotonic() + self._expiry, message))
        if loop is not None and queue.timer is None:
            queue.timer = loop.call_later(self._expiry, self._timed_out, channel, queue, loop)

    async def get(self, channel: str) -> Message:
        self._drop_lapsed(channel)
        queue = self._queue(channel)
        queue.readers += 1
        try:
            _, message = await queue.get()
        finally:
            queue.readers -= 1
            self._tidy(channel, queue)
        return message

    def _queue(self, channel: str) -> Queue:
        queue = self.by_channel.get(channel)
        if queue is None:
            queue = self.by_channel[channel] = Queue(self._capacity(channel))
        return queue

    def _timed_out(self, channel: str, queue: Queue, loop: asyncio.AbstractEventLoop) -> None:
        queue.timer = None
        if self.by_channel.get(channel) is queue:
            self._drop_lapsed(channel)
            if not queue.empty():
                delay = queue.lapses_at - monotonic()
                queue.timer = loop.call_later(delay, self._timed_out, channel, queue, loop)

    def _drop_lapsed(self, channel: str) -> None:
        queue = self.by_channel.get(channel)
        if queue is None:
            return
        before = queue.qsize()
        while not queue.empty() and queue.lapses_at <= monotonic():
            queue.get_nowait()
        if queue.qsize() < before:
            self._on_lapse(channel)
        self._tidy(channel, queue)

    def _tidy(self, channel: str, queue: Queue) -> None:
        if queue.empty() and not queue.readers and self.by_channel.get(channel) is queue:
            del self.by_channel[channel]
            if queue.timer is not None:
                queue.timer.cancel()
