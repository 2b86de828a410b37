"""What the doctor finds by asking the running server, where REALTIME_URL says."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.core.management.base import CommandError
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from realtime.doctor.configured import is_ours, serve_command
from realtime.doctor.finding import Finding, note, ok, problem
from realtime.management.server import ask
from realtime.words import counted

PATIENCE = 5.0  # seconds


def look() -> Iterator[Finding]:
    url = settings.REALTIME_URL.rstrip("/")
    if not is_ours(url):
        mend = f"Start it: {serve_command()}. Elsewhere? REALTIME_URL says where."
        yield note("running", f"No server answers at {url}.", mend)
        return
    yield ok("running", f"The server at {url} answers.")
    yield from api()
    yield from sockets(url)


def api() -> Iterator[Finding]:
    try:
        rooms = ask("/api/rooms/")["rooms"]
    except CommandError as error:
        yield problem("running", str(error), "Give both sides the same REALTIME_API_TOKEN.")
        return
    people = sum(room["members"] for room in rooms)
    yield ok("running", f"{counted(len(rooms), 'room')}, {counted(people, 'member')}.")


def sockets(url: str) -> Iterator[Finding]:
    """A real handshake, for a proxy between may know nothing of WebSockets."""
    address = "ws" + url.removeprefix("http") + "/ws/echo/"
    try:
        with connect(address, open_timeout=PATIENCE, close_timeout=1, proxy=None) as socket:
            socket.send("doctor")
            answer = socket.recv(timeout=PATIENCE)
    except (OSError, WebSocketException) as error:
        mend = "Start it with uvicorn; a proxy must pass on Upgrade and Connection."
        yield problem("running", f"No WebSocket at {address}: {error}", mend)
        return
    if answer == "doctor":
        yield ok("running", "A WebSocket gets through and back.")
