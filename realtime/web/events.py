"""Server-Sent Events of a room: for curl, an ESP32, and networks that break WebSockets.

`GET /api/rooms/<room>/events/` reads along without being there: nobody sees it in the roster. Each
frame of the wire is an event of its type; those that are numbered have the id `epoch:offset`, and
what was missed after `Last-Event-ID` comes first (HTML Living Standard, section 9.2).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import lru_cache

import msgspec
from channels.layers import get_channel_layer
from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from msgspec import Struct

from realtime.hub import serve_here
from realtime.layers import InMemoryChannelLayer
from realtime.mailbox import Mailbox
from realtime.messages import encode
from realtime.rooms import Room, group_of
from realtime.web.api import ApiError

# More would be a mistake, or an attack: a screen needs one.
MOST_STREAMS = 1_000

_open: set[str] = set()

logger = logging.getLogger("realtime")


class Head(Struct):
    """What of a frame stands outside of its data."""

    type: str
    offset: int | None = None


async def events(request: HttpRequest, room: str) -> StreamingHttpResponse:
    layer = get_channel_layer()
    if not isinstance(layer, InMemoryChannelLayer):
        raise ApiError(501, "layer", "Events need realtime.layers.InMemoryChannelLayer.")
    if len(_open) >= MOST_STREAMS:
        raise ApiError(503, "full", f"This server has {MOST_STREAMS:,} event streams open.")
    stream = _stream(layer, room, request.headers.get("Last-Event-ID", ""))
    # Proxies that gather answers are asked not to: nginx knows the header.
    headers = {"X-Accel-Buffering": "no", "Content-Type": "text/event-stream; charset=utf-8"}
    return StreamingHttpResponse(stream, headers=headers)


async def _stream(layer: InMemoryChannelLayer, room: str, last: str) -> AsyncIterator[bytes]:
    channel, mailbox = await layer.new_channel("events."), Mailbox()
    task = asyncio.current_task()
    assert task is not None
    hub = serve_here()

    def cut() -> None:
        logger.warning("An event stream of room %r was cut: its reader is slow.", room)
        task.cancel()

    def forget(_: object) -> None:
        layer.unsubscribe(channel)
        _open.discard(channel)
        hub.streams.discard(task)

    # By the task of the request, for Django leaves a generator that it stops reading as it is.
    task.add_done_callback(forget)
    _open.add(channel)
    hub.streams.add(task)
    layer.subscribe(channel, mailbox, connection=None, overflow=cut)
    layer.enter(group_of(room), channel)
    yield _welcome(hub.room(room), last)
    while True:
        yield await _next(mailbox, room)


async def _next(mailbox: Mailbox, room: str) -> bytes:
    try:
        async with asyncio.timeout(settings.REALTIME_HEARTBEAT):
            message = await mailbox.get()
    except TimeoutError:
        return b": still here\n\n"
    found = serve_here().rooms.get(room)
    return _event(message["text"], found.history.epoch if found else "")


def _welcome(room: Room, last: str) -> bytes:
    """Where the stream stands, and what was missed; a gap is said, never skipped."""
    epoch, _, offset = last.rpartition(":")
    history, now = room.history, serve_here().clock.time()
    recovered, entries = None, history.recent(0, now=now)
    if offset.isascii() and offset.isdigit() and len(offset) < 16:
        recovered, entries = history.resume(epoch, int(offset), now=now)
    state = {"epoch": history.epoch, "offset": history.offset, "recovered": recovered}
    first = f"retry: 2000\nevent: welcome\ndata: {encode(state).decode()}\n\n".encode()
    return first + b"".join(_event(entry.text.decode(), history.epoch) for entry in entries)


@lru_cache(maxsize=64)  # each stream of a room asks for the same text
def _event(text: str, epoch: str) -> bytes:
    head = msgspec.json.decode(text, type=Head)
    number = "" if head.offset is None else f"id: {epoch}:{head.offset}\n"
    return f"{number}event: {head.type}\ndata: {text}\n\n".encode()
