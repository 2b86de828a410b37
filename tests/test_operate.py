"""The operator's acts, on a real server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from realtime.hub import serve_here
from realtime.roster import Diff, Member
from realtime.screens import MOST_EXPECTED
from realtime.testing import ServerAddress
from realtime.web.operate import ACTS, MOST_MEMBERS
from tests.wire import Client, joined


@pytest.fixture
async def http(server: ServerAddress) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.http("/api/")) as client:
        yield client


@contextlib.asynccontextmanager
async def screen(server: ServerAddress, name: str, room: str = "lobby") -> AsyncIterator[Client]:
    async with joined(server, room, name=name) as board:
        await board.send("state", state={"screen": True})
        await board.settle()
        yield board


def path(member: str, act: str, room: str = "lobby") -> str:
    return f"rooms/{quote(room)}/members/{member}/{act}/"


# --- Members --------------------------------------------------------------------------------------


async def test_the_members_of_a_room_are_listed_with_what_waits_for_them(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with joined(server, "lobby", name="Ada", client="a") as ada:
        await ada.send("state", state={"hand": "up"})
        await ada.settle()
        answer = (await http.get("rooms/lobby/members/")).json()
    [member] = answer["members"]
    assert (answer["room"], answer["count"]) == ("lobby", 1)
    assert member == {
        "id": ada.view.member,
        "name": "Ada",
        "connections": 1,
        "away": False,
        "state": {"hand": "up"},
        "outbox": 0,
    }


async def test_a_member_is_found_by_a_part_of_its_name_or_by_its_id(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with joined(server, name="Ada Lovelace") as ada, joined(server, name="Bob"):
        for wanted in ("love", "LACE", ada.view.member, ada.view.member[:6]):
            answer = (await http.get("rooms/kitchen/members/", params={"q": wanted})).json()
            assert [member["name"] for member in answer["members"]] == ["Ada Lovelace"]
        answer = (await http.get("rooms/kitchen/members/", params={"q": "eve"})).json()
        assert (answer["count"], answer["members"]) == (0, [])


async def test_of_a_crowd_only_so_many_are_listed(http: httpx.AsyncClient) -> None:
    room = serve_here().room("crowd")
    for number in range(MOST_MEMBERS + 7):
        room.roster.join(f"m{number}", f"c{number}")
    answer = (await http.get("rooms/crowd/members/")).json()
    assert (answer["count"], len(answer["members"])) == (MOST_MEMBERS + 7, MOST_MEMBERS)


async def test_who_is_disconnected_reads_why_and_stays_away(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with (
        joined(server, "lobby", client="a") as first,
        joined(server, "lobby", client="a") as second,
    ):
        answer = await http.post(path(first.view.member, "disconnect"))
        assert (answer.status_code, answer.json()) == (200, {"closed": 2})
        for client in (first, second):
            code, reason, frames = await client.until_closed()
            assert (code, reason) == (4403, "The operator disconnected you.")
            assert frames[-1]["reconnect"] is False


async def test_a_reason_may_be_given_and_the_way_back(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with joined(server, "Küche") as client:
        body = {"reason": "Closing time.", "reconnect": True}
        await http.post(path(client.view.member, "disconnect", "Küche"), json=body)
        code, reason, _ = await client.until_closed()
        assert (code, reason) == (1012, "Closing time.")


async def test_who_is_in_a_room_of_a_kind_is_disconnected_from_it_alone(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    address = "/ws/examples/poll/drinks/"
    async with (
        joined(server, "drinks", client="a") as elsewhere,
        joined(server, path=address, client="a") as voter,
    ):
        assert voter.view.member == elsewhere.view.member
        answer = await http.post(path(voter.view.member, "disconnect", "poll/drinks"))
        assert (answer.status_code, answer.json()) == (200, {"closed": 1})
        assert (await voter.until_closed())[0] == 4403
        await elsewhere.settle()
        answer = await http.post(path(voter.view.member, "disconnect", "poll/drinks"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_member")


# --- Screens --------------------------------------------------------------------------------------


async def test_a_screen_is_told_by_a_signal_of_the_server(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with screen(server, "Left") as left, screen(server, "Right") as right:
        for act, body, signal in (
            ("identify", None, {"name": "Left"}),
            ("message", {"text": "Hi", "seconds": 5}, {"text": "Hi", "seconds": 5.0}),
            ("message", {"text": ""}, {"text": "", "seconds": 30.0}),
            ("reload", {}, {}),
        ):
            answer = await http.post(path(left.view.member, act), json=body)
            assert (answer.status_code, answer.json()) == (200, {"receivers": 1})
            frame = await left.next("signal")
            assert frame["member"] is None
            assert frame["data"] == {"screen": act, **signal}
        assert "signal" not in [frame["type"] for frame in await right.settle()]


async def test_all_screens_are_told_at_once_and_nobody_else(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with (
        screen(server, "Left") as left,
        screen(server, "Bar", "bar") as bar,
        joined(server, "lobby") as guest,
    ):
        for act, body in (("identify", {}), ("message", {"text": "Hi"}), ("reload", {})):
            answer = await http.post(f"screens/{act}/", json=body)
            assert answer.json() == {"receivers": 2}
            for each in (left, bar):
                assert (await each.next("signal"))["data"]["screen"] == act
        assert "signal" not in [frame["type"] for frame in await guest.settle()]


async def test_a_screen_is_expected_and_forgotten(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with screen(server, "Left") as left:
        found = serve_here().screens.get("lobby", left.view.member)
        assert found is not None
        for act, is_expected in (("expect", True), ("expect", True), ("forget", False)):
            answer = await http.post(path(left.view.member, act))
            assert (answer.status_code, answer.json()) == (200, {"expected": is_expected})
            assert found.is_expected is is_expected
        assert (await http.post(path(left.view.member, "forget"))).is_success


async def test_a_screen_in_a_room_of_a_kind_is_told_as_any_other(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with joined(server, path="/ws/examples/poll/drinks/", name="Bar") as board:
        await board.send("state", state={"screen": True})
        await board.settle()
        for act in ("identify", "reload"):
            answer = await http.post(path(board.view.member, act, "poll/drinks"))
            assert (answer.status_code, answer.json()) == (200, {"receivers": 1})
            assert (await board.next("signal"))["data"]["screen"] == act
        assert (await http.post(path(board.view.member, "expect", "poll/drinks"))).is_success
        [shown] = (await http.get("status/")).json()["screens"]["list"]
        assert (shown["room"], shown["name"], shown["expected"]) == ("poll/drinks", "Bar", True)


async def test_a_screen_that_is_away_cannot_be_told_but_forgotten(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with screen(server, "Left") as left, joined(server, "lobby") as other:
        await http.post(path(left.view.member, "expect"))
        left.vanish()
        while not other.view.members[left.view.member]["away"]:
            await other.frame()
    answer = await http.post(path(left.view.member, "identify"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "screen_away")
    assert (await http.post("screens/identify/")).json() == {"receivers": 0}
    assert (await http.post(path(left.view.member, "forget"))).is_success


async def test_too_many_expected_ones_are_refused_in_words(http: httpx.AsyncClient) -> None:
    crowd = [Member(f"m{n}", f"Screen {n}", {"screen": True}) for n in range(MOST_EXPECTED + 1)]
    screens = serve_here().screens
    screens.follow("lobby", Diff(joins=crowd), now=0)
    for member in crowd[:-1]:
        screens.expect("lobby", member.id)
    answer = await http.post(path(crowd[-1].id, "expect"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "full")


# --- What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
async def test_nobody_and_no_screen_is_not_found(
    server: ServerAddress, http: httpx.AsyncClient, act: str
) -> None:
    body = {"text": "Hi"} if act == "message" else {}
    async with joined(server, "lobby") as guest:
        for member in ("nobody", "%00", "x" * 500):
            answer = await http.post(path(member, act), json=body)
            assert answer.status_code == (200 if act == "forget" else 404)
        if act not in ("disconnect", "forget"):
            answer = await http.post(path(guest.view.member, act), json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_screen")
    assert (await http.post(path("x", act, "a\u202eb"), json=body)).status_code == 400


@pytest.mark.parametrize("act", [*ACTS, "all"])
async def test_nothing_is_done_by_reading(http: httpx.AsyncClient, act: str) -> None:
    where = "screens/reload/" if act == "all" else path("someone", act)
    answer = await http.get(where)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


BAD: dict[str, Any] = {
    "no text": (b"{}", "text"),
    "nothing": (b"", None),
    "no object": (b"[]", None),
    "a number": (b'{"text": 5}', "text"),
    "a long text": (b'{"text": "' + b"x" * 501 + b'"}', "text"),
    "a negative time": (b'{"text": "x", "seconds": -1}', "seconds"),
    "a time without end": (b'{"text": "x", "seconds": 1e9}', "seconds"),
    "a misspelt field": (b'{"text": "x", "second": 1}', None),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_message_is_refused_in_words(http: httpx.AsyncClient, case: str) -> None:
    body, field = BAD[case]
    for where in ("screens/message/", path("someone", "message")):
        answer = await http.post(where, content=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_shape")
        assert "Lunch is ready" in error["detail"]
        assert field is None or field in (error.get("field"), error["detail"].split("`")[-2])


async def test_a_body_that_an_act_does_not_know_is_refused(http: httpx.AsyncClient) -> None:
    for where, body, status in (
        (path("x", "expect"), b'{"for": "ever"}', 400),
        (path("x", "disconnect"), b'{"reason": ""}', 400),
        (path("x", "disconnect"), b"x" * 70_000, 413),
        ("screens/reload/", b"nope", 400),
    ):
        assert (await http.post(where, content=body)).status_code == status


async def test_it_is_for_the_operator_only(
    server: ServerAddress, http: httpx.AsyncClient, settings: Any
) -> None:
    settings.REALTIME_API_TOKEN = "secret"
    async with screen(server, "Left") as left:
        for act in ACTS:
            answer = await http.post(path(left.view.member, act), json={"text": "x"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "access")
        assert (await http.post("screens/reload/")).status_code == 401
        assert "signal" not in [frame["type"] for frame in await left.settle()]
        assert not any(each.is_expected for each in serve_here().screens)
