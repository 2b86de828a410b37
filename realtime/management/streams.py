"""The events of a room, read over HTTP as a browser's EventSource reads them.

It comes back by itself: with the id of the last event, so that the server sends what was missed,
and says on the way what happened (HTML Living Standard, section 9.2).
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings

from realtime.management import server

Event = dict[str, Any]

# Seconds before each new try: at once would only make a restart slower.
FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0


class Follower:
    """Reads a room's events while it is read from; `say` hears what happens to the line."""

    def __init__(self, room: str, say: Callable[[str], None]) -> None:
        self._url = settings.REALTIME_URL.rstrip("/")
        self._path = server.room_path(room, "events")
        self._say = say
        self._last = ""
        self._is_back = False  # it was connected before

    def events(self) -> Iterator[Event]:
        """Each event's data, `welcome` first and again after each break."""
        wait = FIRST_WAIT
        while True:
            try:
                for event in self._read():
                    wait = FIRST_WAIT
                    yield event
                self._lost("it ended the stream")
            except urllib.error.HTTPError as error:
                self._refused(error)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if not self._is_back:
                    raise server.unreachable(self._url + self._path, error) from None
                self._lost(str(getattr(error, "reason", error)) or type(error).__name__)
            time.sleep(wait)
            wait = min(LONGEST_WAIT, wait * 2)

    def _read(self) -> Iterator[Event]:
        # Silence of two heartbeats and a half is the end: each stream says something at every one.
        patience = max(5.0, settings.REALTIME_HEARTBEAT * 2.5)
        more = {"Last-Event-ID": self._last} if self._last else {}
        with server.opened(self._url + self._path, timeout=patience, **more) as answer:
            for number, data in parse(line.decode(errors="replace") for line in answer):
                event = json.loads(data)
                if "type" not in event:
                    event = {"type": "welcome", **event}
                    self._welcomed(event)
                self._last = number or self._last
                yield event

    def _welcomed(self, event: Event) -> None:
        if self._is_back:
            told = event["recovered"] is True
            rest = "nothing was missed." if told else "what was said meanwhile may be missing."
            self._say(f"Connected again: {rest}")
        self._is_back = True
        if not event["recovered"]:
            self._last = f"{event['epoch']}:{event['offset']}"

    def _refused(self, error: urllib.error.HTTPError) -> None:
        with error:
            if error.code < 500 or not self._is_back:
                url = self._url + self._path
                raise server.refused(url, error.code, error.read()) from None
        self._lost(f"status {error.code}")

    def _lost(self, why: str) -> None:
        self._say(f"The server is gone ({why}); trying again.")


def parse(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Id and data of each event; comments and unknown fields are nothing."""
    number, data = "", list[str]()
    for line in lines:
        name, _, value = line.rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            number = value
        elif name == "data":
            data.append(value)
        elif not name and not value and data:
            yield number, "\n".join(data)
            number, data = "", []
