"""Who may use the HTTP API: whoever has the token; without one set, this machine alone.

A page of a stranger, open in a browser of this machine, must not count as this machine. A browser
says with each POST which page it is for: `Origin`, or `null` for one that hides where it is from.
What it may ask for without one, an image or a frame, it marks with `Sec-Fetch-Site` instead, on
127.0.0.1 and https. Programs send neither. The type of the body says nothing: curl sends a form's.
"""

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
    if _is_foreign(request):
        return 403, "A page of another origin may not use this API: see CSRF_TRUSTED_ORIGINS."
    if settings.REALTIME_API_TOKEN:
        if _has_token(request):
            return None
        return 401, "Send the header `Authorization: Bearer …` with REALTIME_API_TOKEN."
    if _is_this_machine(request):
        return None
    return 403, "Without REALTIME_API_TOKEN set, only this machine may use the API."


def _is_foreign(request: HttpRequest) -> bool:
    """Whether a page of another origin asks."""
    origin = request.headers.get("Origin")
    if origin is not None:
        return not is_own_or_trusted_origin(origin, request.get_host())
    return request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")


def _has_token(request: HttpRequest) -> bool:
    """Compared in the same time however much of it is right."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    same = secrets.compare_digest(
        # As the bytes came: Django has read them as Latin-1.
        token.strip().encode("latin-1", errors="replace"),
        settings.REALTIME_API_TOKEN.encode(),
    )
    return same and scheme.lower() == "bearer"


def _is_this_machine(request: HttpRequest) -> bool:
    if any(header in request.headers for header in PROXY_HEADERS):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
