"""How much a request may bring: Django stores a body on disk, whole, before any view is asked."""

from __future__ import annotations

from typing import Any

from django.conf import settings


class BodyLimit:
    """ASGI middleware for HTTP: a body above REALTIME_MAX_BODY_SIZE is answered with 413."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        limit: int = settings.REALTIME_MAX_BODY_SIZE
        announced = [value for name, value in scope["headers"] if name == b"content-length"]
        if announced and announced[0].isdigit() and int(announced[0]) > limit:
            await _refuse(send, limit)
            return
        meter = Meter(receive, limit)
        try:
            await self.application(scope, meter.receive, send)
        finally:
            if meter.is_over:  # Django took it for a peer that hung up, and said nothing
                await _refuse(send, limit)


class Meter:
    """Counts what is received, and ends it where it is too much."""

    def __init__(self, receive: Any, limit: int) -> None:
        self._receive, self._left = receive, limit

    @property
    def is_over(self) -> bool:
        return self._left < 0

    async def receive(self) -> Any:
        event = await self._receive()
        self._left -= len(event.get("body", b""))
        return {"type": "http.disconnect"} if self.is_over else event


async def _refuse(send: Any, limit: int) -> None:
    body = f"A request may bring {limit:,} bytes (REALTIME_MAX_BODY_SIZE).\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),  # nobody reads the rest
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
