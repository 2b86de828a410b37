"""The running server, as the commands ask it: by its HTTP API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

TIMEOUT = 10.0


def ask(path: str, body: Any = None) -> Any:
    """GET `path`, or POST `body` to it; the JSON answer. Raises CommandError with a sentence."""
    url = settings.REALTIME_URL.rstrip("/") + path
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    if settings.REALTIME_API_TOKEN:
        request.add_header("Authorization", f"Bearer {settings.REALTIME_API_TOKEN}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise CommandError(f"The server at {url} refused: {_detail(error)}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CommandError(
            f"No answer from {url} ({reason}). Is the server running? REALTIME_URL says where."
        ) from None


def _detail(error: urllib.error.HTTPError) -> str:
    with error:
        try:
            return str(json.load(error)["error"]["detail"])
        except (ValueError, KeyError, TypeError):
            return f"status {error.code}"
