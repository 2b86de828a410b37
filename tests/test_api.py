"""The HTTP API, on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets
from django.db import OperationalError

from realtime.codec import MAX_DEPTH
from realtime.testing import ServerAddress
from realtime.web import api as module


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
        while (heard := json.loads(await bob.recv()))["type"] == "presence":
            pass
        assert heard["data"] == "psst"
        await http.post("kitchen/messages/", json={"data": "all"})
        types = {json.loads(await ada.recv())["type"] for _ in range(2)}
        assert types == {"message", "presence"}  # and no signal


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
    for gap in (
        {"epoch": "old", "offset": "900"},
        {"epoch": "old", "offset": "0"},
        {"offset": "0"},
    ):
        answer = await http.get("log/messages/", params=gap)
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


@pytest.mark.parametrize("path", ["", "messages/", "events/"])
async def test_a_bad_room_name_cannot_be_read_either(http: httpx.AsyncClient, path: str) -> None:
    for name in ("x" * 65, "%00", "%E2%80%AE"):
        answer = await http.get(f"{name}/{path}")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["field"]) == (400, "bad_name", "room")


async def test_two_spellings_of_one_name_are_one_room(http: httpx.AsyncClient) -> None:
    await http.post("Küche/messages/", json={"data": 1})
    for path in ("Ku\u0308che/", "Ku\u0308che/messages/"):
        assert (await http.get(path)).json()["offset"] == 1


async def test_other_methods_and_missing_rooms_are_refused_in_words(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.delete("kitchen/messages/")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST, HEAD, OPTIONS")
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


# Not by pages of others, and not by asking.

CONTENT_TYPES = [
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
]
FOREIGN = [
    {"Origin": "http://evil.com"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "file://"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_page_of_another_origin_cannot_publish_whatever_it_sends(
    http: httpx.AsyncClient, headers: dict[str, str], content_type: str
) -> None:
    headers = {**headers, "Content-Type": content_type}
    answer = await http.post("kitchen/messages/", content=b'{"data": 1}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "access")
    assert (await http.get("")).json() == {"rooms": []}


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
async def test_a_program_may_send_json_as_what_it_likes(
    http: httpx.AsyncClient, content_type: str
) -> None:
    """curl -d says that it is a form's, and only a browser could be made to send it by others."""
    headers = {"Content-Type": content_type}
    answer = await http.post("kitchen/messages/", content=b'{"data": 1}', headers=headers)
    assert answer.status_code == 201


async def test_no_get_changes_anything(http: httpx.AsyncClient) -> None:
    await http.post("log/messages/", json={"data": 1})
    rooms = (await http.get("")).json()
    for path in ("", "log/", "log/messages/", "new/", "new/messages/", "log/messages/?offset=0"):
        query = path + ("&" if "?" in path else "?") + "data=2&method=POST&_method=POST"
        for method in ("GET", "HEAD", "OPTIONS"):
            await http.request(method, path)
            await http.request(method, query, headers={"X-HTTP-Method-Override": "POST"})
    for path in ("new/events/", "log/events/"):
        async with http.stream("GET", path) as answer:
            await anext(answer.aiter_lines())
    assert (await http.get("")).json() == rooms


# Methods and addresses.


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET, HEAD, OPTIONS"),
        ("log/", "GET, HEAD, OPTIONS"),
        ("log/messages/", "GET, POST, HEAD, OPTIONS"),
        ("log/events/", "GET, HEAD, OPTIONS"),
    ],
)
async def test_options_says_what_may_be_done_and_gives_no_foreign_page_leave(
    http: httpx.AsyncClient, path: str, allowed: str
) -> None:
    preflight = {"Origin": "http://evil.com", "Access-Control-Request-Method": "POST"}
    answer = await http.options(path, headers=preflight)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (204, allowed, b"")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    answer = await http.patch(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["error"]["code"] == "method"


async def test_a_head_is_the_get_without_its_body(http: httpx.AsyncClient) -> None:
    await http.post("log/messages/", json={"data": 1})
    for path in ("", "log/", "log/messages/", "nowhere/"):
        get, head = await http.get(path), await http.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers.get("etag") == get.headers.get("etag")
        assert head.headers["content-type"] == get.headers["content-type"] == "application/json"


async def test_without_the_last_slash_it_is_the_same(http: httpx.AsyncClient) -> None:
    """A redirect would make a GET of a POST, and nobody would hear that nothing was said."""
    assert (await http.post("log/messages", json={"data": 1})).status_code == 201
    assert (await http.get("log/messages")).json()["offset"] == 1
    assert (await http.get("log")).json()["name"] == "log"
    assert (await http.get(str(http.base_url).rstrip("/"))).json()["rooms"]


@pytest.mark.parametrize(
    "path", ["x/y/", "x/messages/1", "../room/", "../", "x%2Fy/", "%2e%2e/x/z/"]
)
async def test_any_other_address_is_a_404_in_json(http: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_address")


# Numbers, tags, tokens, bugs.


@pytest.mark.parametrize("offset", ["-1", "x", "", "1.5", "9" * 20, "٧"])
async def test_an_offset_that_is_none_is_named(http: httpx.AsyncClient, offset: str) -> None:
    await http.post("log/messages/", json={"data": 1})
    for headers in ({}, {"If-None-Match": "*"}):
        answer = await http.get("log/messages/", params={"offset": offset}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "offset")


async def test_a_tag_may_be_weak_one_of_many_or_any(http: httpx.AsyncClient) -> None:
    await http.post("log/messages/", json={"data": 1})
    tag = (await http.get("log/messages/")).headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await http.get("log/messages/", headers={"If-None-Match": known})
        assert (answer.status_code, answer.headers["etag"], answer.content) == (304, tag, b"")
    await http.post("log/messages/", json={"data": 2})
    for known in (tag, '"other"', "nonsense"):
        answer = await http.get("log/messages/", headers={"If-None-Match": known})
        assert answer.status_code == 200


async def test_without_the_token_nothing_is_told(http: httpx.AsyncClient, settings: Any) -> None:
    settings.REALTIME_API_TOKEN = "secret"
    for path in ("", "log/", "log/messages/", "log/events/", "x/y/z"):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "access")
        assert answer.headers["www-authenticate"] == "Bearer"
    answer = await http.post("log/messages/", json={"data": 1})
    assert answer.status_code == 401
    http.headers["Authorization"] = "Bearer secret"
    assert (await http.get("")).json() == {"rooms": []}
    assert (await http.post("log/messages/", json={"data": 1})).status_code == 201


async def test_an_answer_is_never_cached(http: httpx.AsyncClient) -> None:
    assert "no-store" in (await http.get("")).headers["cache-control"]
    assert "no-store" in (await http.get("nowhere/")).headers["cache-control"]


async def test_a_bug_is_one_traceback_and_an_id_that_leads_to_it(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    def broken(*arguments: Any, **options: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "publish", broken)
    answer = await http.post("log/messages/", json={"data": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "bug")
    [line] = logged
    assert line.split()[1] in answer.json()["error"]["detail"]


async def test_a_missing_database_is_not_taken_for_a_bug(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **options: Any) -> Any:
        raise OperationalError("no such table")

    monkeypatch.setattr(module, "publish", broken)
    answer = await http.post("log/messages/", json={"data": 1})
    assert answer.status_code == 503
    assert "python app.py migrate" in answer.text


async def test_a_sensor_may_send_as_fast_as_it_can(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    """There is no limit of rate, for it has been let in; each answer is the receipt."""
    async with websockets.connect(server.ws("/ws/rooms/log/"), max_queue=None) as socket:
        await socket.recv()
        offsets: list[int] = []

        async def send() -> None:
            for number in range(20):
                answer = await http.post("log/messages/", json={"data": number})
                assert answer.status_code == 201
                offsets.append(answer.json()["offset"])

        await asyncio.gather(*(send() for _ in range(5)))
        heard = [json.loads(await socket.recv())["offset"] for _ in range(100)]
        assert heard == sorted(offsets) == list(range(1, 101))
