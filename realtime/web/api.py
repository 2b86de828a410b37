"""The HTTP API under /api/: rooms for scripts, sensors, cron and curl.

A room is named as publish() names it: with its kind, if it has one, as in rooms/quiz/first/. Its
consumer's `authorize()` is not asked, for it is browsers that it is about.

JSON in, JSON out: the shapes stand in answers.py. A refusal is `{"error": {"code", "detail",
"field"}}` with a status that says whose fault it was. Reading never changes anything; writing is a
POST. There is no limit of rate: who gets in has the token or this machine, a sensor that sends as
fast as it can is what this is for, and an answer that is waited for is limit enough. What it could
fill up is bounded: a message, the rooms, their histories, what waits for a slow reader.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import wraps
from importlib import import_module
from typing import Any, TypeAlias, TypeVar

import msgspec
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.http import parse_etags
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from msgspec import UNSET, Raw, Struct, UnsetType

from realtime.codec import BadMessage, encode
from realtime.codec import decode as decode_message
from realtime.hub import serve_here
from realtime.messages import Message
from realtime.names import NameRefused, full_room_name
from realtime.publishing import publish
from realtime.rooms import Full, Room
from realtime.web.access import refusal
from realtime.web.answers import (
    Messages,
    Posted,
    Problem,
    Refusal,
    Rooms,
    RoomState,
    RoomSummary,
)

logger = logging.getLogger("realtime")

View: TypeAlias = Callable[..., Awaitable[HttpResponseBase]]
Shape = TypeVar("Shape", bound=Struct)


class Post(Struct, forbid_unknown_fields=True):
    """Body of a POST to `messages/`. `volatile`: for who is here now. `to`: one member's id."""

    data: Raw
    volatile: bool = False
    to: str | UnsetType = UNSET


class ApiError(Exception):
    """An answer that is a refusal."""

    def __init__(self, status: int, code: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.field = status, code, detail, field


def api(**methods: View) -> Any:
    """One address: the view of each method, access checked, refusals in words."""

    @csrf_exempt  # who comes by a cookie is checked by refusal()
    @never_cache
    @wraps(methods["GET"] if "GET" in methods else next(iter(methods.values())))
    async def view(request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": _allowed(methods)})
        try:
            handler = methods.get("GET" if request.method == "HEAD" else request.method or "")
            if handler is None:
                detail = f"{request.method} is not for this address: use {_allowed(methods)}."
                raise ApiError(405, "method", detail)
            if refused := await refusal(request):
                raise ApiError(refused[0], "access", refused[1])
            if "room" in kwargs:
                kwargs["room"] = full_room_name(kwargs["room"])
            return await handler(request, **kwargs)
        except NameRefused as error:
            return _refuse(ApiError(400, "bad_name", str(error), "room"), methods)
        except ApiError as error:
            return _refuse(error, methods)
        except DatabaseError:
            raise  # the middleware says what to do
        except Exception:
            short_id = secrets.token_hex(3)
            logger.exception("Error %s at %r", short_id, request.path[:200])
            detail = f"A bug in the server: its log says more at {short_id}."
            return _refuse(ApiError(500, "bug", detail), methods)

    return view


async def nothing(request: HttpRequest, path: str) -> HttpResponse:
    """Any other address under /api/."""
    raise ApiError(404, "no_address", f"There is nothing at /api/{path[:200]}.")


async def rooms(request: HttpRequest) -> HttpResponse:
    """GET /api/rooms/: the rooms there are."""
    return reply(Rooms([_summary(room) for room in serve_here().rooms.values()]))


async def room(request: HttpRequest, room: str) -> HttpResponse:
    """GET /api/rooms/<room>/: who is in it."""
    found = find_room(room)
    roster = Raw(encode(found.roster.members()))
    return reply(RoomState(**msgspec.structs.asdict(_summary(found)), roster=roster))


async def read_messages(request: HttpRequest, room: str) -> HttpResponse:
    """GET /api/rooms/<room>/messages/?epoch=…&offset=…: what came after; without them, all.

    The ETag is `epoch:offset`: a poller that sends it as If-None-Match gets 304 for nothing new.
    """
    history, now = find_room(room).history, serve_here().clock.time()
    after = whole_number(request.GET["offset"], "offset") if "offset" in request.GET else None
    tag = f'"{history.epoch}:{history.offset}"'
    if any(known.removeprefix("W/") in (tag, "*") for known in _etags(request)):
        return HttpResponse(status=304, headers={"ETag": tag})
    if after is not None:
        recovered, entries = history.resume(request.GET.get("epoch", ""), after, now=now)
    else:
        recovered, entries = None, history.recent(settings.REALTIME_HISTORY_SIZE, now=now)
    messages = [Raw(entry.text) for entry in entries]
    answer = Messages(history.epoch, history.offset, recovered, messages)
    return reply(answer, headers={"ETag": tag})


async def post_message(request: HttpRequest, room: str) -> HttpResponse:
    """POST /api/rooms/<room>/messages/ {"data": …}: 201 and where it went."""
    post = read(request, Post, example='{"data": "hi"}')
    to = None if post.to is UNSET else post.to
    try:
        receipt = publish(room, _checked(post.data), volatile=post.volatile, to=to)
    except Full as full:
        raise ApiError(503, "full", str(full)) from None
    assert receipt is not None
    return reply(Posted(receipt.offset, receipt.receivers), status=201)


async def metrics(request: HttpRequest) -> HttpResponse:
    """GET /metrics: for Prometheus. Its library comes on first use: it is a tenth of a start."""
    module = await asyncio.to_thread(import_module, "realtime.web.metrics")
    text, content_type = module.exposition(request.headers.get("Accept", ""))
    return HttpResponse(text, content_type)


def read(request: HttpRequest, shape: type[Shape], *, example: str) -> Shape:
    """The body as `shape`. Raises ApiError."""
    try:
        return msgspec.json.decode(body_of(request), type=shape)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        detail, _, field = str(error).partition(" - at `$.")
        raise ApiError(
            400,
            "bad_shape",
            f"{detail}. Send an object such as {example}.",
            field.rstrip("`") or None,
        ) from None


def body_of(request: HttpRequest) -> bytes:
    """Of bounded size. Raises ApiError."""
    limit = settings.REALTIME_MAX_MESSAGE_SIZE
    try:
        if len(request.body) <= limit:
            return request.body
    except RequestDataTooBig:  # Django's own limit, before it has read it all
        pass
    raise ApiError(413, "too_large", f"A message may have {limit:,} bytes.")


def _checked(data: Raw) -> Any:
    """By the rules of the wire: depth, numbers and text that can be sent on."""
    try:
        message = decode_message(b'{"type":"message","data":' + bytes(data) + b"}")
    except BadMessage as bad:
        raise ApiError(400, bad.code, bad.detail, bad.path.removeprefix("$.")) from None
    assert isinstance(message, Message)
    return message.data


def find_room(name: str) -> Room:
    found = serve_here().rooms.get(name)
    if found is None:
        raise ApiError(404, "no_room", f"There is no room {name!r} now: nobody is in it.", "room")
    return found


def _summary(room: Room) -> RoomSummary:
    return RoomSummary(room.name, *room.roster.counts(), room.history.epoch, room.history.offset)


def _etags(request: HttpRequest) -> list[str]:
    return parse_etags(request.headers.get("If-None-Match", ""))


def _allowed(methods: dict[str, View]) -> str:
    heads = ["HEAD"] if "GET" in methods else []
    return ", ".join([*methods, *heads, "OPTIONS"])


def whole_number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        detail = f"`{field}` must be a whole number, not {text[:20]!r}."
        raise ApiError(400, "bad_shape", detail, field)
    return int(text)


def reply(
    content: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    return HttpResponse(encode(content), "application/json", status, headers=headers)


def _refuse(error: ApiError, methods: dict[str, View]) -> HttpResponse:
    field = UNSET if error.field is None else error.field
    headers = {"Allow": _allowed(methods)} if error.status == 405 else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = Refusal(Problem(error.code, error.detail, field))
    return reply(content, status=error.status, headers=headers)
