"""Who is at the other end of a socket.

The first that holds: the logged-in Django user; the signed device cookie that our pages set; the
`client` parameter; nobody we know, so a fresh id. Whatever it is, what others see is a keyed hash
of it: a public id cannot be turned back, nor used to be somebody else.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django.core.signing import BadSignature, Signer
from django.http import parse_cookie
from django.utils.crypto import salted_hmac

from realtime.names import MAX_LENGTH, NameRefused, member_name

DEVICE_COOKIE = "realtime_device"
SALT = "realtime.identity"


def member_id(scope: Mapping[str, Any], client: str | None) -> str:
    """The public id of whoever opened this scope, the same for all their tabs."""
    user = scope.get("user")
    if user is not None and user.is_authenticated:
        return user_member_id(user)
    if device := _device(scope):
        return _public("device", device)
    if client:
        return _public("client", client)
    return secrets.token_hex(8)


def user_member_id(user: Any) -> str:
    """The public id of a Django user."""
    return _public("user", str(user.pk))


def user_name(scope: Mapping[str, Any]) -> str | None:
    """What a logged-in user is called, None for everybody else, or if it is no name for a room."""
    user = scope.get("user")
    if user is None or not user.is_authenticated:
        return None
    try:
        return member_name(str(user.get_username())[:MAX_LENGTH])  # Django's may have 150
    except NameRefused:
        return None


def new_device() -> str:
    """The value of a device cookie for a browser that has none."""
    return Signer(salt=SALT).sign(secrets.token_urlsafe(12))


def _device(scope: Mapping[str, Any]) -> str | None:
    cookies = scope.get("cookies")
    if cookies is None:
        values = [value for key, value in scope.get("headers", ()) if key == b"cookie"]
        cookies = parse_cookie("; ".join(value.decode("latin-1") for value in values))
    try:
        return Signer(salt=SALT).unsign(cookies[DEVICE_COOKIE])
    except (KeyError, BadSignature):
        return None


def _public(kind: str, value: str) -> str:
    # An address that is not UTF-8 holds halves of characters.
    text = f"{kind}:{value}".encode(errors="surrogatepass")
    return salted_hmac(SALT, text, algorithm="sha256").hexdigest()[:16]
