"""Who may use the HTTP API: whoever has the token; without one set, this machine alone."""

from __future__ import annotations

import ipaddress
import secrets

from django.conf import settings
from django.http import HttpRequest

from realtime.hosts import is_own_or_trusted_origin

# Set by proxies: behind one, everybody seems to be this machine.
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


def refusal(request: HttpRequest) -> tuple[int, str] | None:
    """Status and sentence for a request that may not, None for one that may."""
    origin = request.headers.get("Origin")
    if origin is not None and not is_own_or_trusted_origin(origin, request.get_host()):
        return 403, "A page of another origin may not use this API: see CSRF_TRUSTED_ORIGINS."
    if settings.REALTIME_API_TOKEN:
        if _has_token(request):
            return None
        return 401, "Send the header `Authorization: Bearer …` with REALTIME_API_TOKEN."
    if _is_this_machine(request):
        return None
    return 403, "Without REALTIME_API_TOKEN set, only this machine may use the API."


def _has_token(request: HttpRequest) -> bool:
    """Compared in the same time however much of it is right."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    same = secrets.compare_digest(
        token.strip().encode(errors="replace"), settings.REALTIME_API_TOKEN.encode()
    )
    return same and scheme.lower() == "bearer"


def _is_this_machine(request: HttpRequest) -> bool:
    if any(header in request.headers for header in PROXY_HEADERS):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
