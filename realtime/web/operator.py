"""The operator's page, and the form by which the token lets somebody in.

What it shows comes from /api/status/ (status.py), what it does from operate.py.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from realtime.web.access import COOKIE, give_cookie, has_cookie, is_token, refusal, visitor


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
async def operator(request: HttpRequest) -> HttpResponse:
    """Live numbers, rooms, screens, and what may be done to them."""
    if request.method == "POST":
        return await _form(request)
    refused = await refusal(request)
    if refused:
        return await _door(request, refused[0])
    context = await visitor(request) | {"has_cookie": has_cookie(request)}
    return render(request, "realtime/operator.html", context)


async def _form(request: HttpRequest) -> HttpResponse:
    """The token, which Django's CSRF check has let through; or the wish to forget it here."""
    if "forget" in request.POST:
        response: HttpResponse = redirect("operator")
        response.delete_cookie(COOKIE, samesite="Strict")
        return response
    if not is_token(request.POST.get("token", "")):
        return await _door(request, 403, problem="This is not the token that this server has.")
    response = redirect("operator")
    give_cookie(request, response)
    return response


async def _door(request: HttpRequest, status: int, problem: str = "") -> HttpResponse:
    """Why not, and how to get in."""
    context: dict[str, Any] = await visitor(request) | {
        "problem": problem,
        "takes_token": bool(settings.REALTIME_API_TOKEN),
    }
    return render(request, "realtime/operator_door.html", context, status=status)
