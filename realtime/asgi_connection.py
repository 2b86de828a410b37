"""The plain way: `send` is awaited for each frame, as on every ASGI server."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from django.conf import settings

from realtime.connection import (
    BLOCKED,
    CLOSED,
    CLOSING,
    CONNECTING,
    GONE,
    INBOX,
    OPEN,
    Connection,
    Disconnected,
    Event,
    Overflow,
    Owner,
    Receive,
    Send,
)
from realtime.counters import traffic
from realtime.frames import Frame
from realtime.mailbox import Mailbox

logger = logging.getLogger("realtime")


class AsgiConnection(Connection):
    """Awaits `send` for each frame, and reads events in a task: works on every ASGI server."""

    __slots__ = ("_reader", "_task")

    def __init__(
        self, receive: Receive, send: Send, inbox: Mailbox, owner: Owner, overflow: Overflow
    ) -> None:
        super().__init__(send, inbox, owner, overflow)
        self._reader = self._tick.loop.create_task(self._read(receive))
        # Sends what others than the handler have written, or the last word to a slow peer.
        self._task: asyncio.Task[None] | None = None

    # From the browser.

    async def _read(self, receive: Receive) -> None:
        ended = False
        while not ended:
            event = await self._next(receive)
            ended = event["type"] == "websocket.disconnect"
            if ended:
                self._lose(event.get("code", GONE), event.get("reason") or "")
            elif event["type"] == "websocket.receive":
                traffic.received += 1
                if _is_too_big(event):
                    event = {"type": "websocket.too.big"}
            if self._inbox.put_nowait(event) >= INBOX and not ended:
                room = asyncio.Event()
                self._inbox.on_empty = room.set
                await room.wait()

    async def _next(self, receive: Receive) -> Event:
        try:
            return await receive()
        except Exception:
            logger.exception("Reading from a socket failed")
            return {"type": "websocket.disconnect", "code": GONE}

    # To the browser.

    async def send_frame(self, frame: Frame) -> None:
        """As above. The handler waits anyway, so it does the sending: no task for a message."""
        if self.state is OPEN and not self._frames:
            self._frames.append(frame)
            self._enter(BLOCKED)
            await self._drain()
            if self.state is CLOSED:
                raise Disconnected
        else:
            await super().send_frame(frame)

    def flush(self) -> None:
        if self.state is OPEN and self._frames:
            self._enter(BLOCKED)
            self._task = self._tick.loop.create_task(self._drain())

    def _open(self) -> None:
        if self.state is CONNECTING:
            self._enter(OPEN)
            self.flush()

    async def _drain(self) -> None:
        try:
            while self._frames:
                oldest = self._frames[0]
                self._keep(self._frames[1:])
                for event in oldest.events():
                    if self.state is CLOSED:
                        break
                    async with asyncio.timeout(settings.REALTIME_SEND_TIMEOUT):
                        await self._send(event)
                    traffic.delivered += 1
                traffic.sent_bytes += oldest.size
        except TimeoutError:
            reason = f"it took nothing for {settings.REALTIME_SEND_TIMEOUT:g} s"
            self.give_up(reason, patient=False)
        except Exception as error:  # each server has its own way to say that the peer has gone
            logger.debug("A send failed: %r", error)
            self._lose(GONE, "")
        finally:
            self._drained()

    def _drained(self) -> None:
        if self.state is BLOCKED:
            self._enter(OPEN)
            self.flush()  # there is more when a handler was cancelled that was sending
        elif self.state is CLOSING:
            self._settle()

    async def _say_close(self, code: int, reason: str) -> None:
        event = {"type": "websocket.close", "code": code, "reason": reason}
        with contextlib.suppress(OSError):  # the peer was faster
            try:
                await self._send(event)
            except Exception:  # daphne raises for 1001 to 2999, and would leave the socket open
                await self._send(event | {"code": 1000})

    def _hang_up(self, code: int, reason: str, *, patient: bool) -> None:
        event = {"type": "websocket.disconnect", "code": code, "reason": reason}
        if patient:
            self._task = self._tick.loop.create_task(self._say_why(event))
        else:
            self._inbox.put_nowait(event)

    async def _say_why(self, event: Event) -> None:
        """The last word; when the consumer returns, the server closes the socket."""
        try:
            async with asyncio.timeout(settings.REALTIME_SEND_TIMEOUT):
                await self._say_close(event["code"], event["reason"])
        except Exception as error:
            logger.debug("A slow peer was not told why: %r", error)
        self._inbox.put_nowait(event)

    def release(self) -> None:
        super().release()
        self._reader.cancel()
        if self._task is not None:
            self._task.cancel()


def _is_too_big(event: Event) -> bool:
    limit: int = settings.REALTIME_MAX_MESSAGE_SIZE
    text = event.get("text")
    if text is None:
        return len(event.get("bytes") or b"") > limit
    return len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit)
