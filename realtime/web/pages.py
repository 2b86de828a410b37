"""The pages of rooms: one to talk in, one to hang on a wall."""

from __future__ import annotations

from typing import Any

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from realtime.identity import DEVICE_COOKIE, SALT, new_device
from realtime.names import NameRefused, room_name
from realtime.web.access import visitor
from realtime.web.invitation import invitations, may_change

YEAR = 365 * 24 * 3600  # seconds

# Asked for again each time, yet the back button may take the page as it was left: `no-store`, which
# never_cache() would add, forbids that.
fresh = cache_control(no_cache=True, private=True)


@require_safe
@fresh
async def room(request: HttpRequest, name: str) -> HttpResponse:
    """Who is here, and what they say."""
    return await _page(request, "realtime/room.html", name)


@require_safe
@fresh
async def board(request: HttpRequest, name: str) -> HttpResponse:
    """The latest data of a room, to be read from afar."""
    return await _page(request, "realtime/board.html", name)


async def _page(request: HttpRequest, template: str, name: str) -> HttpResponse:
    context: dict[str, Any] = await visitor(request)
    try:
        context["room"] = room_name(name)
    except NameRefused as refused:
        context |= {"title": "No room has this name", "sentence": refused}
        return render(request, "realtime/error.html", context, status=404)
    path = reverse("room", args=[name])
    ways = await invitations(request, path)
    context |= {"invitation": ways[0] if ways else None, "may_change": may_change(request)}
    context["own"] = f"{request.scheme}://{request.get_host()}{path}"
    response = render(request, template, context)
    _recognise(request, response)
    return response


def _recognise(request: HttpRequest, response: HttpResponse) -> None:
    """Give a browser without one the cookie by which all its tabs are one member."""
    try:
        Signer(salt=SALT).unsign(request.COOKIES[DEVICE_COOKIE])
    except (KeyError, BadSignature):
        response.set_cookie(
            DEVICE_COOKIE,
            new_device(),
            max_age=YEAR,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
