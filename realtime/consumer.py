"""The consumer behind every WebSocket: Channels' own, with a dispatch of its own.

A tutorial's consumer runs on it unchanged. One mailbox takes what comes from the socket and from
the layer; handlers run one after another, as in Channels, without a task or a thread for each
message. However a consumer ends, it leaves its groups and its `disconnect()` has run.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import lru_cache, partial
from typing import Any

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer as ChannelsConsumer
from channels.layers import get_channel_layer
from django.conf import settings

from realtime import counters
from realtime.codes import CloseCode
from realtime.connection import CLOSED, CONNECTING, Disconnected, Event, Overflow, Receive, Send
from realtime.frames import Frame
from realtime.layers import InMemoryChannelLayer
from realtime.mailbox import Mailbox
from realtime.transports import connect
from realtime.words import counted

# Messages that one consumer may handle before the others get a turn.
TURN = 32

# How long `disconnect()` may take when the server stops, in seconds.
GOODBYE_TIMEOUT = 2.0

logger = logging.getLogger("realtime")

# Every consumer whose socket is open.
live: set[AsyncWebsocketConsumer] = set()

handler_name = lru_cache(maxsize=256)(lambda kind: get_handler_name({"type": kind}))


class AsyncWebsocketConsumer(ChannelsConsumer):
    """Drop-in for `channels.generic.websocket.AsyncWebsocketConsumer`.

    `overflow` says what happens when this socket's reader is slow: see `realtime.connection`.
    """

    overflow = Overflow.CLOSE

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.mailbox = Mailbox()
        self._task = asyncio.current_task()
        self._pump: asyncio.Task[None] | None = None
        self._stopping: asyncio.TimerHandle | None = None
        self._close_code: int = CloseCode.GOING_AWAY
        self._is_lost = False
        self._has_left = False
        self.channel_layer = get_channel_layer(self.channel_layer_alias)
        if self.channel_layer is not None:
            self.channel_name = await self.channel_layer.new_channel()
            self.channel_receive = partial(self.channel_layer.receive, self.channel_name)
        self.connection = connect(receive, send, self.mailbox, self, self.overflow)
        self.base_send = self.connection.send
        live.add(self)
        try:
            self._subscribe()
            await self._serve()
        except StopConsumer:
            pass
        except asyncio.CancelledError:
            if self.connection.state is not CLOSED:
                raise
            # The server stops, and has told the peer so: a busy handler is cut short in silence.
        except Exception:
            await self._crashed()
        finally:
            await self._end()

    async def dispatch(self, message: Event) -> None:
        """Call the method that the message's `type` names."""
        handler = getattr(self, handler_name(message["type"]), None)
        if handler is None:
            raise ValueError(f"No handler for message type {message['type']}")
        await handler(message)

    # From the browser.

    async def websocket_connect(self, message: Event) -> None:
        if len(live) > settings.REALTIME_MAX_CONNECTIONS:
            limit = settings.REALTIME_MAX_CONNECTIONS
            await self.accept()
            await self.close(CloseCode.FULL, f"This server holds {counted(limit, 'connection')}.")
        else:
            await super().websocket_connect(message)

    async def websocket_too_big(self, message: Event) -> None:
        """From a connection whose server does not itself refuse what is too big."""
        limit = settings.REALTIME_MAX_MESSAGE_SIZE
        await self.close(CloseCode.TOO_BIG, f"A message may have {limit:,} bytes.")

    async def websocket_disconnect(self, message: Event) -> None:
        if not self._is_lost:
            self._close_code = message["code"]
        await self._leave_for_good()
        raise StopConsumer

    def connection_lost(self, code: int, reason: str) -> None:
        """The socket is gone, and a handler may still be busy: nobody is to see a ghost."""
        self._close_code, self._is_lost = code, True
        self._leave_groups()
        if code == CloseCode.RESTART and self._task is not None:
            loop = self._task.get_loop()
            self._stopping = loop.call_later(GOODBYE_TIMEOUT, self._task.cancel)

    # To the browser.

    async def send(
        self, text_data: str | None = None, bytes_data: bytes | None = None, close: Any = False
    ) -> None:
        """As in Channels, without the ASGI event in between."""
        payload = bytes_data if text_data is None else text_data
        if payload is None:
            raise ValueError("You must pass one of bytes_data or text_data")
        await self.connection.send_frame(Frame(payload))
        if close:
            await self.close(close)

    async def websocket_send(self, message: Event) -> None:
        """A group's message that is an ASGI event already: out it goes, unless it excludes us."""
        if message.get("exclude") != self.channel_name:
            await self.base_send(message)

    # The life of a consumer.

    async def _serve(self) -> None:
        """Handle what comes until the socket's last event."""
        handled = 0
        while True:
            message = await self.mailbox.get()
            try:  # noqa: SIM105 (a context manager costs more than 100 ns)
                await self.dispatch(message)
            except Disconnected:
                pass  # what came before the peer went is still handled, up to the event of its end
            handled += 1
            if handled % TURN == 0:
                await asyncio.sleep(0)

    def _subscribe(self) -> None:
        layer = self.channel_layer
        if isinstance(layer, InMemoryChannelLayer):
            forwards = type(self).websocket_send is AsyncWebsocketConsumer.websocket_send
            layer.subscribe(
                self.channel_name,
                self.mailbox,
                connection=self.connection if forwards else None,
                overflow=self._overflowed,
            )
        elif layer is not None:
            self._pump = asyncio.create_task(self._receive_from_layer())
        if self.connection.state is CLOSED:
            self._leave_groups()

    def _leave_groups(self) -> None:
        """Out of every group at once, and into none any more."""
        if isinstance(self.channel_layer, InMemoryChannelLayer):
            self.channel_layer.leave_groups(self.channel_name)

    async def _receive_from_layer(self) -> None:
        while True:
            self.mailbox.put_nowait(await self.channel_receive())

    def _overflowed(self) -> None:
        self.connection.give_up("its handlers are slower than what its groups send")

    async def _crashed(self) -> None:
        """A bug of ours: one traceback, and for the browser an id that leads to it."""
        short_id = secrets.token_hex(3)
        counters.crashes[type(self).__qualname__] += 1
        logger.exception("Error %s in %s", short_id, type(self).__qualname__)
        try:
            if self.connection.state is CONNECTING:
                await self.connection.send({"type": "websocket.accept"})
            reason = f"Error {short_id}: a bug in the server, whose log says more."
            await self.close(CloseCode.BUG, reason)
        except Exception as error:
            logger.debug("The peer of error %s had gone: %r", short_id, error)

    async def _end(self) -> None:
        """However it came to this: out of the groups, `disconnect()` has run, nothing is left."""
        self._leave_groups()
        if self._stopping is not None:
            self._stopping.cancel()
        if self._pump is not None:
            self._pump.cancel()
        try:
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await self._leave_for_good()
        except StopConsumer:
            pass
        except Exception:
            counters.crashes[type(self).__qualname__] += 1
            logger.exception("disconnect() of %s failed", type(self).__qualname__)
        finally:
            if isinstance(self.channel_layer, InMemoryChannelLayer):
                self.channel_layer.unsubscribe(self.channel_name)
            live.discard(self)
            counters.closes[self._close_code] += 1
            self.connection.release()

    async def _leave_for_good(self) -> None:
        """Out of the groups of the class, then `disconnect()`, once."""
        if self._has_left:
            return
        self._has_left = True
        if self.channel_layer is not None:
            for group in self.groups:
                await self.channel_layer.group_discard(group, self.channel_name)
        await self.disconnect(self._close_code)
