"""Django middleware of the pages: what they may load, and the words for a missing database."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.db import OperationalError, ProgrammingError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from servestatic.middleware import ServeStaticMiddleware
from servestatic.responders import MissingFileError

logger = logging.getLogger("realtime")

# Everything from this server and nothing inline. The WebSocket addresses are spelt out because
# Safari before 15.4 does not count them to 'self'; images in data: are Django admin's icons.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self' ws://{host} wss://{host}; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class AsyncMiddleware:
    """The part that every async Django middleware needs."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        assert iscoroutinefunction(get_response)
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return await self.get_response(request)


class ContentSecurityPolicy(AsyncMiddleware):
    """Sends the policy with every answer; a view that set its own keeps it.

    Django's debug pages bring their style inline, so they go without.
    """

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = await self.get_response(request)
        if settings.DEBUG and response.status_code in (404, 500):
            return response
        response.headers.setdefault(
            "Content-Security-Policy", POLICY.format(host=request.get_host())
        )
        return response


class StaticFiles(ServeStaticMiddleware):
    """ServeStatic's, for static paths alone: with SERVESTATIC_AUTOREFRESH it asks a thread.

    With DEBUG, where it raises, a missing file is a 404.
    """

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(self.static_prefix):
            return cast(HttpResponseBase, await self.get_response(request))
        try:
            return cast(HttpResponseBase, await super().__call__(request))
        except MissingFileError as error:
            raise Http404(str(error)) from None


class MissingDatabase(AsyncMiddleware):
    """Answers 503 and the command to type when a view wants tables that nobody has made."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, (OperationalError, ProgrammingError)):
            return None
        logger.warning("%r needs the database: %s", request.path[:200], error)
        return render(request, "realtime/no_database.html", status=503)
