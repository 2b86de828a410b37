"""The HTTP API, on a real server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from realtime.messages import MAX_DEPTH
from realtime.testing import ServerAddress


@pytest.fixture
async def http(server: ServerAddress) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.http("/api/rooms/")) as client:
        yield client


async def test_a_post_reaches_who_is_in_the_room(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with websockets.connect(server.ws("/ws/rooms/kitchen/")) as socket:
        await socket.recv()  # welcome
        answer = await http.post("kitchen/messages/", json={"data": {"temp": 21.5}})
        assert answer.status_code == 201
        assert answer.json() == {"offset": 1, "receivers": 1}
        message = json.loads(await socket.recv())
        assert (message["type"], message["member"], message["data"]) == (
            "message",
            None,
            {"temp": 21.5},
        )


async def test_a_volatile_post_is_a_signal_and_is_not_kept(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with websockets.connect(server.ws("/ws/rooms/kitchen/")) as socket:
        await socket.recv()
        answer = await http.post("kitchen/messages/", json={"data": 1, "volatile": True})
        assert answer.json() == {"offset": None, "receivers": 1}
        assert json.loads(await socket.recv()) == {"type": "signal", "member": None, "data": 1}
        assert (await http.get("kitchen/messages/")).json()["messages"] == []


async def test_a_post_to_one_member_reaches_no_other(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    address = server.ws("/ws/rooms/kitchen/")
    async with websockets.connect(address) as ada, websockets.connect(address) as bob:
        await ada.recv()
        member = json.loads(await bob.recv())["member"]
        answer = await http.post("kitchen/messages/", json={"data": "psst", "to": member})
        assert answer.json() == {"offset": None, "receivers": 1}
        assert json.loads(await bob.recv())["data"] == "psst"
        await http.post("kitchen/messages/", json={"data": "all"})
        heard = [json.loads(await ada.recv())["type"] for _ in range(2)]
        assert sorted(heard) == ["message", "presence"]  # and no signal


async def test_the_rooms_are_listed_with_their_counts(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    assert (await http.get("")).json() == {"rooms": []}
    async with websockets.connect(server.ws("/ws/rooms/Küche?name=Ada")) as socket:
        epoch = json.loads(await socket.recv())["epoch"]
        summary = {"name": "Küche", "members": 1, "connections": 1, "epoch": epoch, "offset": 0}
        assert (await http.get("")).json() == {"rooms": [summary]}
        answer = (await http.get("Küche/")).json()
        assert answer.pop("roster")[0]["name"] == "Ada"
        assert answer == summary


async def test_a_poller_gets_all_it_missed_and_304_for_nothing_new(http: httpx.AsyncClient) -> None:
    for number in range(5):
        await http.post("log/messages/", json={"data": number})
    first = await http.get("log/messages/")
    assert first.json()["recovered"] is None
    assert [message["data"] for message in first.json()["messages"]] == [0, 1, 2, 3, 4]
    epoch, tag = first.json()["epoch"], first.headers["etag"]
    assert tag == f'"{epoch}:5"'
    assert (await http.get("log/messages/", headers={"If-None-Match": tag})).status_code == 304
    later = await http.get("log/messages/", params={"epoch": epoch, "offset": "3"})
    assert later.json()["recovered"] is True
    assert [message["offset"] for message in later.json()["messages"]] == [4, 5]


async def test_a_poller_of_another_epoch_is_told_that_it_has_a_gap(http: httpx.AsyncClient) -> None:
    await http.post("log/messages/", json={"data": 1})
    answer = await http.get("log/messages/", params={"epoch": "old", "offset": "900"})
    assert answer.json()["recovered"] is False
    assert len(answer.json()["messages"]) == 1


async def test_a_room_of_one_user_is_not_listed(http: httpx.AsyncClient) -> None:
    from realtime import publish

    publish("user/0123456789abcdef", "private")
    assert (await http.get("")).json() == {"rooms": []}


NESTED: Any = "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)
REFUSED = {
    "no body": (b"", 400, "bad_shape", None),
    "no json": (b"{nope", 400, "bad_shape", None),
    "an array": (b"[1]", 400, "bad_shape", None),
    "no data": (b"{}", 400, "bad_shape", None),
    "a misspelt field": (b'{"dat": 1}', 400, "bad_shape", None),
    "a wrong type": (b'{"data": 1, "volatile": "yes"}', 400, "bad_shape", "volatile"),
    "a wrong id": (b'{"data": 1, "to": 7}', 400, "bad_shape", "to"),
    "not utf-8": (b'{"data": "\xff"}', 400, None, None),
    "a lone surrogate": (b'{"data": "\\ud800"}', 400, None, None),
    "no number": (b'{"data": 1e400}', 400, None, None),
    "too deep": (b'{"data": ' + NESTED.encode() + b"}", 400, "too_deep", None),
    "deeper": (b'{"data": ' + b"[" * 50_000 + b"}", 400, None, None),
    "too large": (b'{"data": "' + b"x" * 65_536 + b'"}', 413, "too_large", None),
    "much too large": (b'{"data": "' + b"x" * 3_000_000 + b'"}', 413, "too_large", None),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_bad_post_is_refused_in_words(http: httpx.AsyncClient, case: str) -> None:
    body, status, code, field = REFUSED[case]
    answer = await http.post("kitchen/messages/", content=body)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["detail"]
    assert code is None or error["code"] == code
    assert field is None or error["field"] == field
    assert (await http.get("")).json() == {"rooms": []}


async def test_a_bad_room_name_is_refused_in_words(http: httpx.AsyncClient) -> None:
    for name in ("x" * 65, "%00", "%E2%80%AE", "%2e%2e", "user%2Fabc"):
        answer = await http.post(f"{name}/messages/", json={"data": 1})
        assert answer.status_code in (400, 404), name
        assert (await http.get("")).json() == {"rooms": []}


async def test_other_methods_and_missing_rooms_are_refused_in_words(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.delete("kitchen/messages/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    answer = await http.get("kitchen/")
    assert (answer.status_code, answer.json()["error"]["field"]) == (404, "room")
    answer = await http.get("kitchen/messages/", headers={"Origin": "http://evil.com"})
    assert answer.status_code == 403


async def test_too_many_rooms_are_a_503(http: httpx.AsyncClient, settings: Any) -> None:
    settings.REALTIME_MAX_ROOMS = 1
    async with websockets.connect(
        str(http.base_url).replace("http", "ws").replace("/api/", "/ws/") + "full/"
    ) as socket:
        await socket.recv()
        answer = await http.post("other/messages/", json={"data": 1})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "full")
