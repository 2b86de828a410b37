"""Which Host and which Origin may talk to this server, for HTTP and WebSocket alike.

`ALLOWED_HOSTS` and `CSRF_TRUSTED_ORIGINS` are Django's and mean what they mean there; what is
added is a pattern for "any IP address", the Origin rule for WebSockets, and a refusal in words.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from typing import Any, Self

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

from realtime import counters

logger = logging.getLogger("realtime")

FORBIDDEN = 4403
DEFAULT_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443"}


class AnyAddress(str):
    """A pattern for ALLOWED_HOSTS that equals every IP address.

    Nobody can rebind an address by DNS, so it needs no listing; a phone that opens
    http://192.168.0.7:8000 gets in, and still does after the router has dealt a new address.
    """

    __slots__ = ()
    __hash__ = str.__hash__

    def lower(self) -> Self:
        return self  # Django lower-cases a pattern before it compares

    def __eq__(self, host: object) -> bool:
        try:
            ipaddress.ip_address(str(host).strip("[]"))
        except ValueError:
            return False
        return True

    def __ne__(self, host: object) -> bool:
        return not self == host


def local_hosts() -> list[str]:
    """Names and addresses that cannot lead here from a stranger's web page."""
    name = socket.gethostname().lower()
    names = dict.fromkeys([name, name.partition(".")[0]])  # one, where the name has no domain
    return [".localhost", ".local", *names, AnyAddress("<any address>")]


class HostGuard:
    """ASGI middleware: a refused Host or Origin is answered in words, here, before Django.

    HTTP gets a 400. A WebSocket is accepted and then closed with 4403, because a browser shows
    neither status nor reason of a handshake that was refused.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        websocket = scope["type"] == "websocket"
        refusal = _host_refusal(scope) or (websocket and _origin_refusal(scope))
        if not refusal:
            await self.application(scope, receive, send)
            return
        logger.warning("%s from %s refused: %s", scope["type"], _peer(scope), refusal)
        if websocket:
            await accept_then_close(receive, send, FORBIDDEN, refusal)
        else:
            await _answer(send, 400, refusal)


async def accept_then_close(receive: Any, send: Any, code: int, reason: str) -> None:
    """Refuse a WebSocket so that a browser can tell why: 1006 is all it sees otherwise."""
    counters.closes[code] += 1
    await receive()  # websocket.connect
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": code, "reason": close_reason(reason)})


def close_reason(text: str) -> str:
    """`text` cut to the 123 bytes that a close frame has room for (RFC 6455, section 5.5)."""
    return text.encode()[:123].decode(errors="ignore")


def is_served(domain: str) -> bool:
    """Whether a page may be opened by this name or address."""
    return validate_host(domain, _allowed_hosts())


def is_own_or_trusted_origin(origin: str, host: str) -> bool:
    """Whether a page of `origin` may do here what a page of ours may."""
    return _is_same_origin(origin, host) or _is_trusted(origin)


def _host_refusal(scope: Any) -> str | None:
    host = _header(scope, b"host")
    if host is None and scope["type"] == "http":
        return None  # HTTP/1.0: Django takes the server's own address
    domain, _ = split_domain_port(host or "")
    if domain and is_served(domain):
        return None
    return f"Host {_shown(host)} is not served here: add it to ALLOWED_HOSTS."


def _origin_refusal(scope: Any) -> str | None:
    origin = _header(scope, b"origin")
    if origin is None:
        if settings.REALTIME_STRICT_ORIGIN:
            return "no Origin header, and REALTIME_STRICT_ORIGIN is on."
        return None
    if is_own_or_trusted_origin(origin, _header(scope, b"host") or ""):
        return None
    return f"Origin {_shown(origin)} is not this host: add it to CSRF_TRUSTED_ORIGINS."


def _is_same_origin(origin: str, host: str) -> bool:
    """Whether host and port agree; a port left out is the default of the origin's scheme."""
    scheme, _, netloc = origin.lower().partition("://")
    port = DEFAULT_PORTS.get(scheme)
    if port is None:
        return False
    domain, own = split_domain_port(netloc)
    other, others = split_domain_port(host)
    return bool(domain) and (domain, own or port) == (other, others or port)


def _is_trusted(origin: str) -> bool:
    """Django's rule for CSRF_TRUSTED_ORIGINS: exact, or https://*.example.com."""
    scheme, _, netloc = origin.lower().partition("://")
    for trusted in settings.CSRF_TRUSTED_ORIGINS:
        trusted_scheme, _, pattern = trusted.partition("://")
        if scheme == trusted_scheme and is_same_domain(netloc, pattern.lstrip("*")):
            return True
    return False


def _allowed_hosts() -> list[str]:
    if settings.DEBUG and not settings.ALLOWED_HOSTS:
        return [".localhost", "127.0.0.1", "[::1]"]  # as Django's HttpRequest.get_host() does
    return settings.ALLOWED_HOSTS


def _header(scope: Any, name: bytes) -> str | None:
    """The header's value; several are joined with a comma, as Django does, and match nothing."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(values) if values else None


def _peer(scope: Any) -> str:
    return str((scope.get("client") or ["?"])[0])


def _shown(text: str | None) -> str:
    return repr((text or "")[:80])  # repr() leaves no control character for the log or terminal


async def _answer(send: Any, status: int, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
