"""GET /api/status/: what this server is doing, in one answer of bounded size.

It is made in the loop that serves the sockets, so it counts all and lists little: with 10,000
connections it takes some milliseconds.
"""

from __future__ import annotations

import heapq
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from realtime import counters, lag
from realtime.codes import CloseCode
from realtime.consumer import live
from realtime.hub import Hub, serve_here
from realtime.names import MAX_RAW_LENGTH
from realtime.rooms import Room
from realtime.screens import Screen
from realtime.web.api import reply
from realtime.web.samples import EVERY, Sample, Samples

# Rooms, screens, slow readers and codes in one answer.
MOST_ROOMS = 200
MOST_SCREENS = 300
MOST_SLOW = 5
MOST_CODES = 20

STATM = Path("/proc/self/statm")
PAGE = 4096  # bytes, on what we know with a /proc


class Sampler:
    """Samples the running loop from the first that asks, for as long as it runs."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.samples = Samples()
        self._sample()

    def _sample(self) -> None:
        hub, traffic = self.hub, counters.traffic
        self.samples.add(
            Sample(
                at=hub.clock.time(),
                connections=len(live) + hub.readers.total(),
                members=_members(hub),
                rooms=len(hub.rooms),
                received=traffic.received,
                delivered=traffic.delivered,
                sent_bytes=traffic.sent_bytes,
                lag=lag.worst(EVERY),
                memory=memory(),
            )
        )
        hub.clock.call_at(hub.clock.time() + EVERY, self._sample)


async def status(request: HttpRequest) -> HttpResponse:
    """`?q=` narrows the rooms, `?series=1` adds the last ten minutes."""
    hub = serve_here()
    samples = _sampler(hub).samples
    wanted = request.GET.get("q", "")[:MAX_RAW_LENGTH].casefold()
    answer = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "uptime": round(hub.clock.time() - hub.started_at, 1),
        "build": hub.build,
        "connections": len(live) + hub.readers.total(),
        "members": _members(hub),
        "rates": samples.rates(),
        "outbox": _outbox(),
        "slow": counters.closes[CloseCode.SLOW],
        "dropped": sum(counters.dropped.values()),
        "closes": _most_common(counters.closes),
        "refusals": _most_common(counters.refusals),
        "lag": {"latest": round(lag.latest(), 4), "worst": round(lag.worst(), 4)},
        "memory": memory(),
        "rooms": _rooms(hub, wanted),
        "screens": _screens(hub),
        "keeps_screens": bool(settings.REALTIME_SNAPSHOT),
    }
    if "series" in request.GET:
        answer["series"] = samples.series()
    return reply(answer)


def memory() -> int | None:
    """Resident bytes; None on a system that does not say so in a file."""
    try:
        return int(STATM.read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return None


def _most_common(counts: Counter[Any]) -> dict[str, int]:
    """A peer may close with any number: the rest of them are `other`."""
    shown = counts.most_common(MOST_CODES)
    rest = sum(counts.values()) - sum(count for _, count in shown)
    return {str(key): count for key, count in shown} | ({"other": rest} if rest else {})


_current: Sampler | None = None


def _sampler(hub: Hub) -> Sampler:
    global _current
    if _current is None or _current.hub is not hub:
        _current = Sampler(hub)
    return _current


def _members(hub: Hub) -> int:
    return sum(len(room.roster) for room in hub.rooms.values())


def _outbox() -> dict[str, Any]:
    """Bytes that wait for readers: in all, the largest, and whose they are."""
    waiting = [(consumer.connection.waiting, consumer) for consumer in live]
    slow = [each for each in waiting if each[0]]
    largest = heapq.nlargest(MOST_SLOW, slow, key=lambda each: each[0])
    return {
        "sum": sum(size for size, _ in slow),
        "largest": largest[0][0] if largest else 0,
        "connections": len(slow),
        "slowest": [_whose(consumer) | {"bytes": size} for size, consumer in largest],
    }


def _whose(consumer: Any) -> dict[str, Any]:
    room: Room | None = getattr(consumer, "room", None)
    if room is None:
        return {"room": None, "member": None, "name": ""}
    member = room.roster.get(consumer.member_id)
    return {"room": room.name, "member": consumer.member_id, "name": member.name if member else ""}


def _rooms(hub: Hub, wanted: str) -> dict[str, Any]:
    """Those with the most connections."""
    rooms = list(hub.rooms.values())
    found = [room for room in rooms if wanted in room.name.casefold()] if wanted else rooms
    shown = heapq.nlargest(MOST_ROOMS, found, key=lambda room: len(room.seats))
    return {"count": len(rooms), "found": len(found), "list": [_room(room) for room in shown]}


def _room(room: Room) -> dict[str, Any]:
    members, _ = room.roster.counts()
    return {
        "name": room.name,
        "members": members,
        "connections": len(room.seats),
        "offset": room.history.offset,
        "kept": len(room.history),
    }


def _screens(hub: Hub) -> dict[str, Any]:
    """The expected first, of these who is missing longest; then the others as they came."""
    now, known = hub.clock.time(), list(hub.screens)
    expected = [_screen(screen, now) for screen in known if screen.is_expected]
    expected.sort(key=lambda each: (-(each["gone"] or 0), each["name"]))
    others = (_screen(screen, now) for screen in known if not screen.is_expected)
    return {
        "count": len(known),
        "expected": len(expected),
        "missing": sum(each["state"] == "missing" for each in expected),
        "list": [*expected, *islice(others, MOST_SCREENS - len(expected))],
    }


def _screen(screen: Screen, now: float) -> dict[str, Any]:
    """`gone`: seconds since it was last seen. Within the grace it may be back in a moment."""
    gone = None if screen.lost_at is None else max(0.0, now - screen.lost_at)
    is_missing = gone is not None and screen.is_expected and gone >= settings.REALTIME_GRACE
    return {
        "room": screen.room,
        "member": screen.member,
        "name": screen.name,
        "expected": screen.is_expected,
        "state": "here" if gone is None else "missing" if is_missing else "away",
        "gone": None if gone is None else round(gone, 1),
    }
