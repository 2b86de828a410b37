"""Server-Sent Events of a room: for curl, an ESP32, and networks that break WebSockets.

`GET /api/rooms/<room>/events/` reads along without being there: nobody sees it in the roster. Each
frame of the wire is an event of its type; those that are numbered have the id `epoch:offset`, and
what was missed after `Last-Event-ID` comes first (HTML Living Standard, section 9.2). What waits
for a reader is bounded as a WebSocket's outbox is, and so is the time for which it takes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

import msgspec
from channels.layers import get_channel_layer
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from msgspec import Struct

from realtime.codec import encode
from realtime.connection import Outgoing
from realtime.counters import traffic
from realtime.history import Entry
from realtime.hub import serve_here
from realtime.layers import InMemoryChannelLayer
from realtime.mailbox import Mailbox
from realtime.rooms import group_of
from realtime.serving import stopping
from realtime.web.answers import Standing
from realtime.web.api import ApiError, whole_number

# Proxies that gather answers are asked not to: nginx knows the second.
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}

logger = logging.getLogger("realtime")


class Head(Struct):
    """What of a frame stands outside of its data."""

    type: str
    offset: int | None = None


class Reader:
    """What waits for one stream."""

    def __init__(self, room: str, abort: Callable[[], object]) -> None:
        self.room = room
        self._abort: Callable[[], object] | None = abort
        # The server stops: what waits still goes out, and that was all.
        self.is_over = False
        self._frames: list[Outgoing] = []
        self._size = 0  # of all but the last, which may still grow
        self._waker: asyncio.Future[None] | None = None

    def write(self, frame: Outgoing) -> None:
        """From the layer, as to a connection."""
        if self._frames:
            self._frames[-1].open = False
            self._size += self._frames[-1].size
        self._frames.append(frame)
        if self._is_full():
            self.cut(f"{self._size + frame.size:,} bytes wait for a slow reader")
        self._wake()

    async def take(self) -> list[str]:
        """All that waits; waits for it, or for the end."""
        while not (self._frames or self.is_over):
            self._waker = asyncio.get_running_loop().create_future()
            await self._waker
        frames, self._frames, self._size = self._frames, [], 0
        return [event["text"] for frame in frames for event in frame.events()]

    def cut(self, reason: str) -> None:
        abort, self._abort = self._abort, None
        if abort is not None:
            logger.warning("An event stream of room %r was cut: %s", self.room, reason)
            abort()

    def end(self) -> None:
        self.is_over = True
        self._wake()

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """The reader has so long to take what it is sent."""
        timeout = settings.REALTIME_SEND_TIMEOUT
        why = f"nothing was read for {timeout:g} s"
        timer = asyncio.get_running_loop().call_later(timeout, self.cut, why)
        try:
            yield
        finally:
            timer.cancel()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    def _is_full(self) -> bool:
        return (
            self._size + self._frames[-1].size > settings.REALTIME_OUTBOX_BYTES
            or len(self._frames) > settings.REALTIME_OUTBOX_MESSAGES
        )


async def events(request: HttpRequest, room: str) -> HttpResponseBase:
    """GET /api/rooms/<room>/events/?history=…: so many recent messages first, then what comes."""
    layer = get_channel_layer()
    if not isinstance(layer, InMemoryChannelLayer):
        raise ApiError(501, "layer", "Events need realtime.layers.InMemoryChannelLayer.")
    recent = whole_number(request.GET.get("history", "0"), "history")
    if request.method == "HEAD":
        return HttpResponse(headers=HEADERS)
    if serve_here().readers.total() >= settings.REALTIME_MAX_STREAMS:
        limit = settings.REALTIME_MAX_STREAMS
        raise ApiError(503, "full", f"This server has {limit:,} event streams open.")
    return StreamingHttpResponse(_stream(layer, request, room, recent), headers=HEADERS)


async def _stream(
    layer: InMemoryChannelLayer, request: HttpRequest, room: str, recent: int
) -> AsyncIterator[bytes]:
    channel, task = await layer.new_channel("events."), asyncio.current_task()
    assert task is not None
    # Only cancelled, uvicorn would wait without end for its peer to read the rest.
    abort = getattr(request, "scope", {}).get("extensions", {}).get("realtime.abort")
    hub, reader = serve_here(), Reader(room, abort or task.cancel)

    def forget(_: object) -> None:
        layer.unsubscribe(channel)
        hub.readers -= Counter([room])  # keeps no zeros
        stopping.endless.discard(reader.end)

    # By the task of the request, for Django leaves a generator that it stops reading as it is.
    task.add_done_callback(forget)
    hub.readers[room] += 1
    stopping.endless.add(reader.end)
    layer.subscribe(channel, Mailbox(), connection=reader, overflow=lambda: None)
    layer.enter(group_of(room), channel)
    chunk = _welcome(room, request.headers.get("Last-Event-ID", ""), recent)
    while chunk:
        with reader.in_time():
            yield chunk
        chunk = await _next(reader)


async def _next(reader: Reader) -> bytes:
    try:
        async with asyncio.timeout(settings.REALTIME_HEARTBEAT):
            texts = await reader.take()
    except TimeoutError:
        return b": still here\n\n"
    room = serve_here().rooms.get(reader.room)
    chunk = b"".join([_event(text, room.history.epoch if room else "") for text in texts])
    traffic.delivered += len(texts)
    traffic.sent_bytes += len(chunk)
    return chunk


def _welcome(name: str, last: str, recent: int) -> bytes:
    """Where the room stands, and what was missed; a gap is said, never skipped.

    A room that nobody has made yet is not made by being read.
    """
    epoch, _, offset = last.rpartition(":")
    is_back = offset.isascii() and offset.isdigit() and len(offset) < 16
    room, now = serve_here().rooms.get(name), serve_here().clock.time()
    entries: list[Entry] = []
    state = Standing(None, 0, False if is_back else None)
    if room is not None and is_back:
        recovered, entries = room.history.resume(epoch, int(offset), now=now)
        state = Standing(room.history.epoch, room.history.offset, recovered)
    elif room is not None:
        entries = room.history.recent(recent, now=now)
        state = Standing(room.history.epoch, room.history.offset, None)
    first = f"retry: 2000\nevent: welcome\ndata: {encode(state).decode()}\n\n".encode()
    return first + b"".join([_event(entry.text.decode(), state.epoch or "") for entry in entries])


@lru_cache(maxsize=64)  # each stream of a room asks for the same text
def _event(text: str, epoch: str) -> bytes:
    head = msgspec.json.decode(text, type=Head)
    number = "" if head.offset is None else f"id: {epoch}:{head.offset}\n"
    return f"{number}event: {head.type}\ndata: {text}\n\n".encode()
