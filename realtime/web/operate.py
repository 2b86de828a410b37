"""The operator's acts: end a member's connections, and tell screens what to do.

POST /api/rooms/<room>/members/<id>/<act>/, where the act is disconnect, or, for a screen, identify,
message, reload, expect or forget; POST /api/screens/<act>/ tells all of them. What a screen is told
is a signal from the server, which no member can imitate; screen.js of the board obeys it.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import islice
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from msgspec import Meta, Struct

from realtime.hub import serve_here
from realtime.messages import encode
from realtime.names import MAX_RAW_LENGTH
from realtime.publishing import disconnect
from realtime.rooms import Room
from realtime.roster import Member
from realtime.screens import Screen, TooManyScreens
from realtime.web.api import ApiError, api, body_of, read

# Members in one answer: nobody reads more, and the sockets' loop makes it.
MOST_MEMBERS = 200

# A message on a screen: characters, and seconds at most.
LONGEST_TEXT = 500
LONGEST_SHOWN = 86_400


class Nothing(Struct, forbid_unknown_fields=True):
    """Body of an act that needs no words; it may also be empty."""


class Farewell(Struct, forbid_unknown_fields=True):
    """Body of `disconnect/`: what the member reads, and whether its page may come back."""

    reason: Annotated[str, Meta(min_length=1, max_length=100)] = "The operator disconnected you."
    reconnect: bool = False


class Words(Struct, forbid_unknown_fields=True):
    """Body of `message/`. `seconds` 0: until somebody dismisses it. No text takes it away."""

    text: Annotated[str, Meta(max_length=LONGEST_TEXT)]
    seconds: Annotated[float, Meta(ge=0, le=LONGEST_SHOWN)] = 30.0


async def members(request: HttpRequest, room: str) -> HttpResponse:
    """GET /api/rooms/<room>/members/?q=…: who is there, and what waits for them; at most 200."""
    found, wanted = _room(room), request.GET.get("q", "")[:MAX_RAW_LENGTH].casefold()
    everybody = found.roster.members()
    matching = [each for each in everybody if _matches(each, wanted)] if wanted else everybody
    waiting = _waiting(found)
    shown = [_shown(each, waiting) for each in islice(matching, MOST_MEMBERS)]
    return _reply({"room": room, "count": len(matching), "members": shown})


async def end_member(request: HttpRequest, room: str, member: str) -> HttpResponse:
    """POST …/disconnect/: close all its connections; says how many there were."""
    farewell = _body(request, Farewell, '{"reason": "Closing time."}')
    closed = disconnect(room, member, reason=farewell.reason, reconnect=farewell.reconnect)
    if not closed:
        raise _nobody(room, member)
    return _reply({"closed": closed})


async def tell_screen(act: str, request: HttpRequest, room: str, member: str) -> HttpResponse:
    """POST …/identify/, …/message/, …/reload/: says how many connections were told."""
    signal, screen = _signal(act, request), _screen(room, member)
    if act == "identify":
        signal["name"] = screen.name
    receipt = _room(room).signal(signal, to=member) if screen.lost_at is None else None
    if receipt is None or not receipt.receivers:
        raise ApiError(404, "screen_away", f"The screen {screen.name!r} is away now.", "member")
    return _reply({"receivers": receipt.receivers})


async def tell_screens(act: str, request: HttpRequest) -> HttpResponse:
    """POST /api/screens/<act>/: all that are here; says how many connections were told."""
    signal, by_room = _signal(act, request), defaultdict[str, set[str]](set)
    hub = serve_here()
    for screen in hub.screens:
        by_room[screen.room].add(screen.member)
    found = [(hub.rooms[room], ids) for room, ids in by_room.items() if room in hub.rooms]
    return _reply({"receivers": sum(room.signal(signal, to=ids).receivers for room, ids in found)})


async def expect_screen(request: HttpRequest, room: str, member: str) -> HttpResponse:
    """POST …/expect/: from now on it is missing when it is gone."""
    _body(request, Nothing, "{}")
    _screen(room, member)
    try:
        serve_here().screens.expect(room, member)
    except TooManyScreens as error:
        raise ApiError(409, "full", str(error)) from None
    return _reply({"expected": True})


async def forget_screen(request: HttpRequest, room: str, member: str) -> HttpResponse:
    """POST …/forget/: nobody waits for it any more. Doing it twice is right."""
    _body(request, Nothing, "{}")
    serve_here().screens.forget(room, member)
    return _reply({"expected": False})


SIGNALS = ("identify", "message", "reload")
ACTS: dict[str, Any] = {
    "disconnect": api(POST=end_member),
    "expect": api(POST=expect_screen),
    "forget": api(POST=forget_screen),
    **{act: api(POST=partial(tell_screen, act)) for act in SIGNALS},
}
ACTS_ON_ALL: dict[str, Any] = {act: api(POST=partial(tell_screens, act)) for act in SIGNALS}


def _reply(content: dict[str, Any]) -> HttpResponse:
    return HttpResponse(encode(content), "application/json")


def _room(name: str) -> Room:
    room = serve_here().rooms.get(name)
    if room is None:
        raise ApiError(404, "no_room", f"There is no room {name!r} now: nobody is in it.", "room")
    return room


def _body(request: HttpRequest, shape: Any, example: str) -> Any:
    return read(request, shape, example=example) if body_of(request) else shape()


def _signal(act: str, request: HttpRequest) -> dict[str, Any]:
    if act == "message":
        words = read(request, Words, example='{"text": "Lunch is ready", "seconds": 30}')
        return {"screen": act, "text": words.text, "seconds": words.seconds}
    _body(request, Nothing, "{}")
    return {"screen": act}


def _screen(room: str, member: str) -> Screen:
    screen = serve_here().screens.get(room, member)
    if screen is None:
        detail = f"No screen {member!r} is known in the room {room!r}."
        raise ApiError(404, "no_screen", detail, "member")
    return screen


def _nobody(room: str, member: str) -> ApiError:
    detail = f"Nobody with the id {member!r} is connected in the room {room!r}."
    return ApiError(404, "unknown_member", detail, "member")


def _matches(member: Member, wanted: str) -> bool:
    return wanted in member.name.casefold() or member.id.startswith(wanted)


def _waiting(room: Room) -> dict[str, int]:
    """Bytes that wait for each member to read, over all its connections."""
    waiting: dict[str, int] = defaultdict(int)
    for seat in room.seats.values():
        connection = getattr(seat, "connection", None)
        waiting[seat.member_id] += connection.waiting if connection else 0
    return waiting


def _shown(member: Member, waiting: dict[str, int]) -> dict[str, Any]:
    return {
        "id": member.id,
        "name": member.name,
        "connections": member.connections,
        "away": member.away,
        "state": member.state,
        "outbox": waiting.get(member.id, 0),
    }
