"""Two questions of whoever looks after the server: does it live, and should people be sent here?

A server that does not live is started again; one that is not ready is only spared new people. No
token is needed for either, and no answer says more than a browser that comes is told.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from realtime import consumer, lag, phase
from realtime.phase import Phase
from realtime.words import counted

# Seconds by which the loop may be late now, and may have been in the last minute. People notice
# the first in a chat; the second is no hiccup but work that does not belong into the loop.
LATE, LATELY = 1.0, 5.0

# Seconds after which to ask again.
RETRY = "5"


@require_safe
@never_cache
async def healthz(request: HttpRequest) -> JsonResponse:
    """Answered by the loop that serves the sockets: an answer means that it turns."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
async def readyz(request: HttpRequest) -> JsonResponse:
    """200, or 503 with the reason."""
    reason = why_not_ready()
    if reason is None:
        return JsonResponse({"status": "ready"})
    answer = {"status": "not ready", "reason": reason}
    return JsonResponse(answer, status=503, headers={"Retry-After": RETRY})


def why_not_ready() -> str | None:
    """A sentence; None when more people may come."""
    if phase.current() is not Phase.SERVING:
        return f"The server is {phase.current().value}."
    if len(consumer.live) >= settings.REALTIME_MAX_CONNECTIONS:
        limit = counted(settings.REALTIME_MAX_CONNECTIONS, "connection")
        return f"This server holds {limit}, and not one is free."
    if lag.latest() > LATE:
        return f"The loop is {lag.latest():.1f} s late."
    if lag.worst() > LATELY:
        return f"The loop was {lag.worst():.1f} s late in the last minute."
    return None
