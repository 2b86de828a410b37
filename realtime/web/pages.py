"""The pages of rooms: one to talk in, one to hang on a wall."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from realtime.identity import DEVICE_COOKIE, SALT, new_device
from realtime.names import NameRefused, room_name
from realtime.web.access import visitor
from realtime.web.addresses import lan_addresses, listening

YEAR = 365 * 24 * 3600  # seconds

# Asked for again each time, yet the back button may take the page as it was left: `no-store`, which
# never_cache() would add, forbids that.
fresh = cache_control(no_cache=True, private=True)


@require_safe
@fresh
async def room(request: HttpRequest, name: str) -> HttpResponse:
    """Who is here, and what they say."""
    address, is_reachable = await _invitation(request)
    context = {"invitation": address, "is_reachable": is_reachable}
    return await _page(request, "realtime/room.html", name, context)


@require_safe
@fresh
async def board(request: HttpRequest, name: str) -> HttpResponse:
    """The latest data of a room, to be read from afar."""
    return await _page(request, "realtime/board.html", name, {})


async def _page(
    request: HttpRequest, template: str, name: str, context: dict[str, Any]
) -> HttpResponse:
    context |= await visitor(request)
    try:
        context["room"] = room_name(name)
    except NameRefused as refused:
        context |= {"title": "No room has this name", "sentence": refused}
        return render(request, "realtime/error.html", context, status=404)
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


async def _invitation(request: HttpRequest) -> tuple[str, bool]:
    """This page's address for others, and whether another device can open it."""
    own = request.build_absolute_uri(request.path)
    if not _is_loopback(request):
        return own, True
    port = request.get_port()
    addresses = await listening(lan_addresses(), int(port)) if port.isdecimal() else []
    if not addresses:
        return own, False
    _, _, path = own.partition(request.get_host())
    return f"{request.scheme}://{addresses[0]}:{port}{path}", True


def _is_loopback(request: HttpRequest) -> bool:
    domain, _ = split_domain_port(request.get_host())
    try:
        return ip_address(domain.strip("[]")).is_loopback
    except ValueError:
        return domain == "localhost" or domain.endswith(".localhost")
