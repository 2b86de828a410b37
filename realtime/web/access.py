"""Who may use the HTTP API and the operator's page.

Whoever has the token, as a header or, once typed into the operator's page, as a cookie; whoever is
logged in as staff; and, with no token set, this machine. What a browser sends by itself, a cookie,
is not enough to change anything: Django's CSRF token must come with it.

A page of a stranger, open in a browser of this machine, must not count as this machine. A browser
says with each POST which page it is for: `Origin`, or `null` for one that hides where it is from.
What it may ask for without one, an image or a frame, it marks with `Sec-Fetch-Site` instead, on
127.0.0.1 and https. Programs send neither. The type of the body says nothing: curl sends a form's.
"""

from __future__ import annotations

import ipaddress
import secrets
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.crypto import salted_hmac

from realtime.hosts import is_own_or_trusted_origin

# Set by proxies: behind one, everybody seems to be this machine.
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")

COOKIE = "realtime_operator"
SALT = "realtime.operator"

# Seconds for which the cookie counts: browsers that restore their tabs keep it for ever.
COOKIE_AGE = 30 * 24 * 3600

Refusal = tuple[int, str]


async def refusal(request: HttpRequest) -> Refusal | None:
    """Status and sentence for a request that may not, None for one that may."""
    if _is_foreign(request):
        return 403, "A page of another origin may not use this API: see CSRF_TRUSTED_ORIGINS."
    refused = _headers_refusal(request)
    if refused is None:
        return None
    user = await _user(request)
    if has_cookie(request) or _is_staff(user):
        return _csrf_refusal(request)
    if user is not None and user.is_authenticated:
        return 403, "You are logged in, but not as staff: only staff may use this."
    return refused


async def visitor(request: HttpRequest) -> dict[str, Any]:
    """For the template of an async view, which may not ask the database itself: who looks at it."""
    user = await request.auser()
    return {"user": user, "may_operate": may_operate(request, user)}


def may_operate(request: HttpRequest, user: Any) -> bool:
    """Whether a page shows the way to the operator's, which will ask refusal()."""
    if _is_foreign(request):
        return False
    return _headers_refusal(request) is None or has_cookie(request) or _is_staff(user)


def is_token(text: str) -> bool:
    """Compared in the same time however much of it is right. Without a token set, nothing is it."""
    token: str = settings.REALTIME_API_TOKEN
    same = secrets.compare_digest(text.strip().encode(errors="replace"), token.encode())
    return bool(token) and same


def give_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """For who has shown the token, until the browser is closed or the token changed."""
    response.set_cookie(
        COOKIE,
        TimestampSigner(salt=SALT).sign(_digest()),
        secure=request.is_secure(),
        httponly=True,
        samesite="Strict",
    )


def has_cookie(request: HttpRequest) -> bool:
    try:
        value = TimestampSigner(salt=SALT).unsign(
            request.COOKIES.get(COOKIE, ""), max_age=COOKIE_AGE
        )
    except BadSignature:
        return False
    return bool(settings.REALTIME_API_TOKEN) and secrets.compare_digest(value, _digest())


def _digest() -> str:
    """Of the token: a cookie made for another one is worth nothing."""
    return salted_hmac(SALT, settings.REALTIME_API_TOKEN, algorithm="sha256").hexdigest()


def _is_foreign(request: HttpRequest) -> bool:
    """Whether a page of another origin asks."""
    origin = request.headers.get("Origin")
    if origin is not None:
        return not is_own_or_trusted_origin(origin, request.get_host())
    # Who follows a link comes from elsewhere too, but no script there sees what they see here.
    is_link = request.method == "GET" and request.headers.get("Sec-Fetch-Dest") == "document"
    site = request.headers.get("Sec-Fetch-Site")
    return site in ("cross-site", "same-site") and not is_link


def _headers_refusal(request: HttpRequest) -> Refusal | None:
    if settings.REALTIME_API_TOKEN:
        if _has_token(request):
            return None
        sentence = "Send the header `Authorization: Bearer …` with REALTIME_API_TOKEN"
        return 401, f"{sentence}, or log in as staff."
    if _is_this_machine(request):
        return None
    sentence = "Without REALTIME_API_TOKEN set, only this machine may use the API"
    return 403, f"{sentence}, and who is logged in as staff."


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    # As the bytes came: Django has read them as Latin-1.
    text = token.encode("latin-1", errors="replace").decode(errors="replace")
    return is_token(text) and scheme.lower() == "bearer"


def _is_this_machine(request: HttpRequest) -> bool:
    if any(header in request.headers for header in PROXY_HEADERS):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


async def _user(request: HttpRequest) -> Any:
    """The visitor as Django knows them; None in a project without its accounts."""
    return await request.auser() if hasattr(request, "auser") else None


def _is_staff(user: Any) -> bool:
    return bool(user and user.is_authenticated and user.is_active and getattr(user, "is_staff", 0))


class _CsrfCheck(CsrfViewMiddleware):
    """Django's check, for a view that is exempt from it and wants the reason as a sentence."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _csrf_refusal(request: HttpRequest) -> Refusal | None:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    if request.content_type != "application/json":  # a form of any page could be sent with cookies
        return 415, "With a cookie, send JSON: `Content-Type: application/json`."
    check = _CsrfCheck(lambda request: HttpResponse())
    check.process_request(request)
    reason: Any = check.process_view(request, lambda request: HttpResponse(), (), {})
    if reason is None:
        return None
    return 403, f"With a cookie, send the header X-CSRFToken, as our pages do. ({reason})"
