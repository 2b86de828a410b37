"""The pages, and the words for every request that is refused."""

from __future__ import annotations

import logging
import secrets

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from realtime.routing import readable_paths, served
from realtime.web.access import visitor
from realtime.web.invitation import invitations, may_change
from realtime.web.obstacles import ADVICE, firewalls

logger = logging.getLogger("realtime")


@require_safe
@never_cache
async def home(request: HttpRequest) -> HttpResponse:
    """What runs here, and how to get in from another device."""
    port = request.get_port()
    context = {
        "invitations": await invitations(request, reverse("home")),
        "may_change": may_change(request),
        "obstacles": [*firewalls(int(port) if port.isdecimal() else 0), ADVICE],
        "port": "" if port == "8000" else f" --port {port}",
        # By its address of the network this machine would be a stranger to its own API.
        "here": f"{request.scheme}://127.0.0.1:{port}",
        "sockets": readable_paths(served()),
        **await visitor(request),
    }
    return render(request, "realtime/home.html", context)


@require_safe
@never_cache
async def echo(request: HttpRequest) -> HttpResponse:
    """Type, and see it come back."""
    return render(request, "realtime/echo.html", await visitor(request))


@csrf_exempt
async def upgrade_required(request: HttpRequest) -> HttpResponse:
    """HTTP on a path for WebSockets.

    The client asks by OPTIONS, before each new try to connect, whether the server is back. That is
    answered as a success, for every other answer is a red line in the browser's console.
    """
    path = request.path.lstrip("/")
    if any(pattern.pattern.match(path) for pattern in served()):
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": "GET, OPTIONS"})
        sentence = "This path speaks WebSocket: open it with new WebSocket(…), not as a page.\n"
        status, headers = 426, {"Upgrade": "websocket", "Connection": "Upgrade"}
    else:
        known = ", ".join(readable_paths(served()))
        sentence, status, headers = f"No WebSocket lives here. There are: {known}\n", 404, {}
    return HttpResponse(sentence, "text/plain; charset=utf-8", status, headers=headers)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _explain(request, 400, "This request could not be understood", str(exception)[:200])


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _explain(request, 403, "You may not do this", str(exception)[:200])


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _explain(
        request,
        403,
        "This form came from elsewhere, or is too old",
        f"Go back, reload the page, and send it again. ({reason})",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _explain(request, 404, "There is no such page", f"Nothing lives at {request.path[:200]}")


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug. Django logs its traceback next; the id leads from the page to that place."""
    short_id = secrets.token_hex(3)
    logger.error("Error %s at %r: its traceback comes next.", short_id, request.path[:200])
    return _explain(
        request,
        500,
        "Something broke here",
        f"It is not your fault. The server's log says more at {short_id}.",
    )


def _explain(request: HttpRequest, status: int, title: str, sentence: str) -> HttpResponse:
    context = {"title": title, "sentence": sentence}
    return render(request, "realtime/error.html", context, status=status)
