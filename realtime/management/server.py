"""The running server, as the commands ask it: by its HTTP API."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.management.base import CommandError

from realtime.names import NameRefused, full_room_name

TIMEOUT = 10.0

# Seconds after which an idle connection is opened anew: uvicorn closes them after 5.
IDLE = 2.0


class Server:
    """The running server over one connection that is kept, for who has much to say."""

    def __init__(self) -> None:
        self._url = settings.REALTIME_URL.rstrip("/")
        parts = urlsplit(self._url)
        kind = http.client.HTTPConnection if parts.scheme == "http" else http.client.HTTPSConnection
        self._connection = kind(parts.netloc, timeout=TIMEOUT)
        self._prefix = parts.path
        self._used = time.monotonic()

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer. After a CommandError it may have been done, or not."""
        try:
            return self._answer(path, json.dumps(body).encode())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise unreachable(self._url + path, error) from None

    def _answer(self, path: str, body: bytes) -> Any:
        # Not tried twice when it fails: the first may have arrived.
        if time.monotonic() - self._used > IDLE:
            self._connection.close()
        self._connection.request("POST", self._prefix + path, body, headers())
        answer = self._connection.getresponse()
        content = answer.read()
        self._used = time.monotonic()
        if answer.status >= 400:
            raise refused(self._url + path, answer.status, content)
        return json.loads(content)


def room_path(room: str, part: str) -> str:
    """The path of a part of a room, such as `messages`. Raises CommandError for a bad name."""
    try:
        return f"/api/rooms/{quote(full_room_name(room))}/{part}/"
    except NameRefused as refused:
        raise CommandError(str(refused)) from None


def ask(path: str) -> Any:
    """GET `path`; the JSON answer. Raises CommandError with a sentence."""
    url = settings.REALTIME_URL.rstrip("/") + path
    try:
        with opened(url, timeout=TIMEOUT) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise refused(url, error.code, error.read()) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise unreachable(url, error) from None


def opened(url: str, *, timeout: float, **more: str) -> Any:
    """The open answer to a GET, with the token; raises what urllib raises."""
    request = urllib.request.Request(url, headers=headers() | more)  # noqa: S310
    return urllib.request.urlopen(request, timeout=timeout)  # noqa: S310


def headers() -> dict[str, str]:
    token = settings.REALTIME_API_TOKEN
    access = {"Authorization": f"Bearer {token}"} if token else {}
    return {"Content-Type": "application/json"} | access


def refused(url: str, status: int, content: bytes) -> CommandError:
    try:
        detail = str(json.loads(content)["error"]["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"status {status}"
    return CommandError(f"The server at {url} refused: {detail}")


def unreachable(url: str, error: Exception) -> CommandError:
    reason = getattr(error, "reason", error)
    return CommandError(
        f"No answer from {url} ({reason}). Is the server running? REALTIME_URL says where."
    )
