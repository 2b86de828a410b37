"""The channel layer for exactly one process.

Channels' own in-memory layer, with its options and its API, except that a broadcast costs what its
members cost and no more, membership lasts as long as the consumer, a full mailbox is never silent,
and any thread or loop may send. No wall clock anywhere.

A consumer of this package subscribes and is delivered to directly. Channels that anybody else
reads (`receive()`) are queues, as in Channels, whose messages lapse after `expiry` seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeAlias

from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer as ChannelsInMemoryChannelLayer

from realtime.connection import Outgoing
from realtime.frames import Batch, Frame
from realtime.home import Home
from realtime.mailbox import Mailbox, Message
from realtime.queues import Queues
from realtime.subscriber import Sink, Subscriber

# A task that sends in a tight loop lets the loop turn after so many seconds.
SLICE = 0.005

# Values that a handler cannot change under another member's hands.
IMMUTABLE = (str, int, float, bool, bytes, type(None))

logger = logging.getLogger("realtime")


# Of one group, by channel; None stands for a channel that is read with `receive()`.
Members: TypeAlias = dict[str, Subscriber | None]
# Those of them that take messages: each, and not what a tick has gathered.
Takers: TypeAlias = list[tuple[str, Subscriber | None]]


class InMemoryChannelLayer(ChannelsInMemoryChannelLayer):
    """Set it as `CHANNEL_LAYERS["default"]["BACKEND"]`. `group_expiry` is accepted and unused."""

    def __init__(
        self,
        expiry: float = 60,
        group_expiry: float | None = None,
        capacity: int = 100,
        channel_capacity: dict[Any, int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(expiry=expiry, capacity=capacity, **options)
        self.channel_capacity = self.compile_capacities(channel_capacity or {})
        self.group_expiry = group_expiry
        self._queues = Queues(expiry, self.get_capacity, self._remove_from_groups)
        self.channels = self._queues.by_channel
        self.groups: dict[str, Members] = {}
        self._subscribers: dict[str, Subscriber] = {}
        # What each group was sent in this tick, as long as no member comes or goes.
        self._batches: dict[str, tuple[Batch, Takers]] = {}
        # Sends from elsewhere go through the loop that serves.
        self._home = Home()
        self._turned = 0.0

    # For this package's consumers.

    def subscribe(
        self,
        channel: str,
        mailbox: Mailbox,
        *,
        connection: Sink | None,
        overflow: Callable[[], None],
    ) -> None:
        """Deliver what is sent to `channel` to `mailbox`, until `unsubscribe()`."""
        self._home.bind()
        capacity = self.get_capacity(channel)
        write = None if connection is None else connection.write
        self._subscribers[channel] = Subscriber(mailbox, capacity, write, overflow)

    def leave_groups(self, channel: str) -> None:
        """Take a subscriber whose socket has ended out of every group, and let it into none."""
        subscriber = self._subscribers.get(channel)
        if subscriber is not None:
            subscriber.stop()
            for group in subscriber.groups:
                self._remove(group, channel)
            subscriber.groups.clear()

    def unsubscribe(self, channel: str) -> None:
        """Take the channel out of everything. Doing it twice does nothing."""
        self.leave_groups(channel)
        self._subscribers.pop(channel, None)

    def broadcast(self, group: str, message: Message) -> bool:
        """`group_send()` for code that runs in the serving loop and cannot await.

        Says whether somebody's mailbox is half full, so that sending more had better wait.
        """
        members = self.groups.get(group)
        if members is None:
            return False
        if message.get("type") == "websocket.send":
            return self._broadcast_frame(group, members, message)
        return self._broadcast_message(members, message)

    def enter(self, group: str, channel: str) -> None:
        """`group_add()` for code that runs in the serving loop and cannot await."""
        self._add(group, channel)

    # Channel layer API.

    async def send(self, channel: str, message: Message) -> None:
        """To one channel. Raises ChannelFull when who reads it with `receive()` is too slow."""
        assert isinstance(message, dict), "message is not a dict"
        self.require_valid_channel_name(channel)
        assert "__asgi_channel__" not in message
        if self._home.is_elsewhere:
            await self._home.run(self._send, channel, deepcopy(message))
        else:
            self._send(channel, deepcopy(message))

    async def receive(self, channel: str) -> Message:
        """The first message on `channel`; waits for one. Not for channels of subscribers."""
        self.require_valid_channel_name(channel)
        self._home.bind()
        return await self._queues.get(channel)

    async def flush(self) -> None:
        for group in list(self.groups):
            self._changed(group)
        self.channels.clear()
        self.groups = {}
        for subscriber in self._subscribers.values():
            subscriber.groups.clear()

    async def group_add(self, group: str, channel: str) -> None:
        """For as long as the consumer lives, or until `group_discard()`."""
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        if self._home.is_elsewhere:
            await self._home.run(self._add, group, channel)
        else:
            self._add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self.require_valid_channel_name(channel)
        self.require_valid_group_name(group)
        if self._home.is_elsewhere:
            await self._home.run(self._discard, group, channel)
        else:
            self._discard(group, channel)

    async def group_send(self, group: str, message: Message) -> None:
        """To every member. `{"type": "websocket.send", …}` goes straight to their sockets."""
        assert isinstance(message, dict), "Message is not a dict"
        self.require_valid_group_name(group)
        if self._home.is_elsewhere:
            await self._home.run(self.broadcast, group, deepcopy(message))
            return
        pressed = self.broadcast(group, message)
        await self._let_others_run(pressed)

    # How it is done.

    def _broadcast_frame(self, group: str, members: Members, message: Message) -> bool:
        frame = Frame.of(message)
        excluded = message.get("exclude")
        takers: Takers = []
        if excluded or frame.key:
            self._write(members, frame, excluded, takers)
            return self._deliver(takers, message, dict)
        gathered = self._batches.get(group)
        if gathered is not None and gathered[0].add(frame):
            return self._deliver(gathered[1], message, dict)
        batch = Batch(frame)
        self._batches[group] = batch, takers
        if len(self._batches) == 1:
            asyncio.get_running_loop().call_soon(self._batches.clear)
        self._write(members, batch, None, takers)
        return self._deliver(takers, message, dict)

    def _write(
        self, members: Members, frame: Outgoing, excluded: str | None, takers: Takers
    ) -> None:
        """To every socket; the other members go into `takers`."""
        # A copy of the members, for a full outbox ends its member on the spot.
        for channel, subscriber in list(members.items()):
            if channel == excluded:
                continue
            if subscriber is not None and subscriber.write is not None:
                subscriber.write(frame)
            else:
                takers.append((channel, subscriber))

    def _broadcast_message(self, members: Members, message: Message) -> bool:
        copy = dict if all(type(value) in IMMUTABLE for value in message.values()) else deepcopy
        return self._deliver(list(members.items()), message, copy)

    def _deliver(
        self, takers: Takers, message: Message, copy: Callable[[Message], Message]
    ) -> bool:
        """A copy for each; says whether somebody's mailbox is half full."""
        pressed = False
        for channel, subscriber in takers:
            if subscriber is None:
                self._put(channel, copy(message))
            else:
                pressed |= subscriber.deliver(copy(message))
        return pressed

    def _put(self, channel: str, message: Message) -> None:
        try:
            self._enqueue(channel, message)
        except ChannelFull:
            logger.warning("Channel %s is full: a message to its group was not delivered", channel)

    def _send(self, channel: str, message: Message) -> None:
        subscriber = self._subscribers.get(channel)
        if subscriber is None:
            self._enqueue(channel, message)
        elif not subscriber.gone:
            subscriber.deliver(message)

    def _enqueue(self, channel: str, message: Message) -> None:
        """For who reads with `receive()`. A loop that does not serve may end before a timer."""
        loop = asyncio.get_running_loop()
        self._queues.put(channel, message, loop if loop is self._home.loop else None)

    # Groups.

    def _add(self, group: str, channel: str) -> None:
        subscriber = self._subscribers.get(channel)
        if subscriber is not None and subscriber.gone:
            return
        self._changed(group)
        self.groups.setdefault(group, {})[channel] = subscriber
        if subscriber is not None:
            subscriber.groups.add(group)

    def _discard(self, group: str, channel: str) -> None:
        subscriber = self._subscribers.get(channel)
        if subscriber is not None:
            subscriber.groups.discard(group)
        self._remove(group, channel)

    def _changed(self, group: str) -> None:
        """The members change: whoever comes gets nothing older, whoever goes nothing newer."""
        gathered = self._batches.get(group)
        if gathered is not None:
            gathered[0].open = False

    def _remove(self, group: str, channel: str) -> None:
        self._changed(group)
        members = self.groups.get(group, {})
        members.pop(channel, None)
        if not members:
            self.groups.pop(group, None)

    def _remove_from_groups(self, channel: str) -> None:
        for group in [name for name, members in self.groups.items() if channel in members]:
            self._remove(group, channel)

    async def _let_others_run(self, pressed: bool) -> None:
        """Give the loop a turn when a mailbox is half full, or this task has sent for long."""
        loop = asyncio.get_running_loop()
        if pressed or loop.time() - self._turned > SLICE:
            await asyncio.sleep(0)
            self._turned = loop.time()
