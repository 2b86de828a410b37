"""What is fuzzed: functions of bytes that return, or raise when a rule of the code is broken.

Each says which bytes it is: what a peer controls, or the choices of a story that is played. Nothing
here knows a fuzzer.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from channels.layers import BaseChannelLayer
from django.test import AsyncRequestFactory

from realtime.arrival import Arrival
from realtime.codec import BadMessage, decode, encode
from realtime.history import History
from realtime.hub import serve_here
from realtime.messages import Leave
from realtime.names import NameRefused, Names, group_name, member_name, name_key, room_name
from realtime.roster import Departure, Member, Roster, StateRefused
from realtime.web.api import api, post_message, read_messages
from tests.fuzz.sockets import talk
from tests.local import LocalHub
from tests.wire import valid

# What a state's key may be set to.
PATCHES = [None, 1, {"c": None}, "x" * 40]

Target = Callable[[bytes], None]

# Statuses that an API may answer a stranger's bytes with.
ANSWERS = {200, 201, 304, 400, 403, 404, 413}


def wire(data: bytes) -> None:
    """A frame from a browser: it is refused in words, or what it says can be said again."""
    for frame in (data, _text(data)):
        try:
            message = decode(frame)
        except BadMessage as bad:
            valid(encode(bad.answer()).decode())
            continue
        again = encode(cast(Any, message))
        if not hasattr(message, "fields"):  # the type of a Custom is no part of its encoding
            assert decode(again) == message


def _text(data: bytes) -> str:
    """With halves of characters where the bytes have them."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def address(data: bytes) -> None:
    """The query string of a socket: it never raises, and what it lets through is usable."""
    arrival = Arrival.of(data)
    for problem in arrival.problems:
        valid(encode(problem).decode())
    if arrival.name is not None:
        assert member_name(arrival.name) == arrival.name
    if arrival.resume is not None:
        assert arrival.resume[1] >= 0
    assert arrival.recent is None or arrival.recent >= 0


def naming(data: bytes) -> None:
    """Names that people type, one a line: tidied once and for all, unique, fit for a group."""
    names, taken = Names(), dict[str, str]()
    for line in _text(data)[:999].split("\n"):
        for check in (room_name, member_name):
            try:
                name = check(line)
            except NameRefused:
                continue
            assert check(name) == name
            BaseChannelLayer().require_valid_group_name(group_name("room", name))
            claimed = names.claim(name)
            assert name_key(claimed) not in taken, "two members of one name"
            taken[name_key(claimed)] = claimed
    for claimed in taken.values():
        names.release(claimed)
    assert not names._taken
    assert not names._crowds


def remembering(data: bytes) -> None:
    """A history against a list: offsets without holes, a resume gets all or is told."""
    history, said, now = History(size=5, age=50, max_bytes=60), list[float](), 0.0
    for step in data:
        kind, number = step >> 6, step & 63
        if kind == 0:
            entry = history.append(lambda offset, n=number: b"x" * n, now=now)  # type: ignore[misc]
            said.append(now)
            assert entry.offset == len(said)
        elif kind == 1:
            now += number
        elif kind == 2:
            recovered, entries = history.resume(history.epoch, number, now=now)
            offsets = [entry.offset for entry in entries]
            if recovered:
                assert offsets == list(range(number + 1, len(said) + 1))
            assert offsets == list(range(len(said) - len(offsets) + 1, len(said) + 1))
        else:
            history = History.restore(history.kept(now), size=5, age=50, max_bytes=60, now=now)
        assert len(history) <= 5
        assert history._bytes == sum(len(entry.text) for entry in history._ring) <= 60
        assert all(now - entry.at < 50 for entry in history.recent(5, now=now))


def attending(data: bytes) -> None:
    """A roster: who applies every diff sees what it shows, and its sums are the sums."""
    roster, seen, up, now = _roster(), dict[str, Member](), list[int](), 0.0
    for number, step in enumerate(data):
        kind, who = step >> 5, f"m{step & 3}"
        diff = None
        if kind <= 1:
            up.append(number)
            diff = roster.join(who, number, name=[None, "Ada", "Ada 2", "ada"][step >> 2 & 3])
        elif kind <= 3 and up:
            left = up.pop(step % len(up))
            diff = roster.leave(left, list(Departure)[(step >> 2) % 3], now=now)
        elif kind == 4 and who in roster:
            try:
                diff = roster.update(
                    who, {"ab"[step & 1]: [None, 1, {"c": None}, "x" * 40][step >> 2 & 3]}
                )
            except StateRefused:
                continue
        elif kind == 5 and who in roster:
            diff = roster.rename(who, ["Ada", "Bob", "ADA", "Ada 2"][step >> 2 & 3])
        else:
            now += step & 31
            diff = roster.expire(now=now)
        if diff is not None:
            seen.update({member.id: member for member in (*diff.joins, *diff.updates)})
            for gone in diff.leaves:
                seen.pop(gone, None)
        _roster_holds(roster, seen)


def _roster() -> Roster:
    return Roster(grace=15, grace_reload=3, state_size=60)


def _roster_holds(roster: Roster, seen: dict[str, Member]) -> None:
    members = roster.members()
    assert seen == {member.id: member for member in members}
    assert roster.counts() == (len(members), sum(member.connections for member in members))
    up = Counter(roster._owners.values())
    assert up == {member.id: member.connections for member in members if member.id in up}
    assert len({name_key(member.name) for member in members}) == len(members)
    assert all((member.connections == 0) is member.away for member in members)
    assert (roster.deadline() is None) == (not any(roster._queues.values()))


def rooms(data: bytes) -> None:
    """The story of test_rooms_model.py, each step chosen by two bytes; its model must agree."""
    story = _story()
    try:
        story.somebody_is_there("ada")
        for choice, value in zip(data[::2], data[1::2], strict=False):
            _step(story, choice, value)
            _check(story)
    finally:
        story.teardown()


def _story() -> Any:
    from tests.test_rooms_model import Rooms  # Hypothesis makes a test of it when it is loaded

    return Rooms()


def _step(story: Any, choice: int, value: int) -> None:
    """One rule of the story, unless it cannot be now."""
    present = any(tab.seat for tab in story.tabs)
    room, member = ("kitchen", "den")[value & 1], ("ada", "bob", "cleo", "dan")[value >> 1 & 3]
    match choice % 13:
        case 0:
            story.opens_a_tab(room, member, value >> 4)
        case 1:
            story.comes_back(value)
        case 2 | 3 if present:
            story.goes(value, list(Departure)[value % 3])
        case 4 if present:
            story.loses_the_network(value)
        case 5 if story.lost:
            story.what_was_sent_arrives_late(value)
        case 6 if story.lost:
            story.the_server_notices(value)
        case 7 | 8 if present:
            story.says(value)
        case 9 if present:
            story.changes_state(value, "ab"[value & 1], [None, 0, 1, 2][value >> 1 & 3])
        case 10 if present:
            story.signals(value, None if value & 1 else member)
        case 11:
            story.a_frame_to_everybody_in_a_room_gets_lost()
        case 12:
            story.time_passes([0.02, 0.05, 1.0, 3.0, 12.0, 15.0, 16.0][value % 7])


def _check(story: Any) -> None:
    story.the_roster_is_the_models()
    story.views_are_right()
    story.what_is_remembered_is_what_was_said()
    story.nothing_is_left_of_who_has_gone()


def talking(data: bytes) -> None:
    """Frames from a browser to a room, one a line: each is answered or handled, none raises."""
    hub = LocalHub()
    seat, other = hub.seat("ada"), hub.seat("bob")
    hub.clock.tick()
    for line in data.split(b"\n"):
        try:
            message = decode(line)
            if not isinstance(message, Leave):  # which waits for its socket to close
                _without_waiting(seat._handle(message))
        except BadMessage as bad:
            seat.tell(bad.answer())
        hub.clock.pass_(0.1)
    for each in (seat, other):  # every frame was checked against the schema on its way
        assert tuple(each.view.count.values()) == each.room.roster.counts()
        assert each.view.offset == each.room.history.offset


def _without_waiting(handling: Any) -> None:
    try:
        handling.send(None)
    except StopIteration:
        return
    raise AssertionError("a handler of ours has waited for something")


def post(data: bytes) -> None:
    """The body of a POST to the HTTP API."""
    request = AsyncRequestFactory().post(
        "/api/rooms/fuzz/messages/", data=data, content_type="application/json"
    )
    _answers(request, post_message, POST=True)


def poll(data: bytes) -> None:
    """A query string of the HTTP API, and behind a line feed the ETag that a poller sends."""
    query, _, tag = data.partition(b"\n")
    request = AsyncRequestFactory().get("/api/rooms/fuzz/messages/")
    request.META["QUERY_STRING"] = query.decode("latin-1")
    request.META["HTTP_IF_NONE_MATCH"] = tag.decode("latin-1")
    _answers(request, read_messages, POST=False)


def socket(data: bytes) -> None:
    """Frames to the echo, whole, in parts, compressed or no frames at all."""
    talk(data)


def _answers(request: Any, view: Any, *, POST: bool) -> None:  # noqa: N803 (HTTP's)
    request.META |= {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1"}

    async def ask() -> Any:
        serve_here().room("fuzz")
        return await api(**{"POST" if POST else "GET": view})(request, room="fuzz")

    response = _loop().run_until_complete(ask())
    assert response.status_code in ANSWERS, response.content
    if response.content:
        answer = json.loads(response.content)
        assert ("error" in answer) == (response.status_code >= 400)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


TARGETS: dict[str, Target] = {
    "wire": wire,
    "address": address,
    "naming": naming,
    "remembering": remembering,
    "attending": attending,
    "rooms": rooms,
    "talking": talking,
    "post": post,
    "poll": poll,
    "socket": socket,
}
