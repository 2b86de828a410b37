"""The HTTP API, on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets
from django.contrib.auth.models import User
from django.db import OperationalError

from realtime import publish, user_room
from realtime.codec import MAX_DEPTH
from realtime.hub import serve_here
from realtime.testing import ServerAddress
from realtime.web import api as module
from tests.wire import joined


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


async def test_a_room_of_a_kind_is_there_as_any_other(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with joined(server, path="/ws/examples/poll/drinks/", name="Ada") as voter:
        await voter.send("vote", choice="Tea")
        await voter.next("message")
        answer = await http.post("poll/drinks/messages/", json={"data": "closing soon"})
        assert (answer.status_code, answer.json()) == (201, {"offset": 2, "receivers": 1})
        assert (await voter.next("message"))["data"] == "closing soon"
        [listed] = (await http.get("")).json()["rooms"]
        assert (listed["name"], listed["members"], listed["offset"]) == ("poll/drinks", 1, 2)
        for path in ("poll/drinks/", "poll/drinks", "poll%2Fdrinks/"):
            found = (await http.get(path)).json()
            assert (found["name"], found["roster"][0]["name"]) == ("poll/drinks", "Ada")
        said = (await http.get("poll/drinks/messages/")).json()["messages"]
        assert [message["data"] for message in said][1:] == ["closing soon"]
        [member] = (await http.get("poll/drinks/members/")).json()["members"]
        assert member["id"] == voter.view.member
    assert (await http.get("drinks/")).status_code == 404


async def test_the_room_of_one_user_is_there_for_who_may_use_the_api(
    http: httpx.AsyncClient, settings: Any
) -> None:
    name = user_room(User(pk=7))
    publish(name, "for you")
    assert [room["name"] for room in (await http.get("")).json()["rooms"]] == [name]
    said = (await http.get(f"{name}/messages/")).json()["messages"]
    assert [message["data"] for message in said] == ["for you"]
    settings.REALTIME_API_TOKEN = "secret"
    for path in (f"{name}/", f"{name}/messages/", f"{name}/events/", f"{name}/members/"):
        assert (await http.get(path)).status_code == 401
    assert (await http.post(f"{name}/messages/", json={"data": 1})).status_code == 401


@pytest.mark.parametrize("part", ["messages", "events", "members"])
async def test_a_part_of_a_room_comes_before_a_room_of_that_name(
    http: httpx.AsyncClient, part: str
) -> None:
    await http.post("quiz/messages/", json={"data": "to quiz"})
    assert list(serve_here().rooms) == ["quiz"]
    await http.post(f"quiz/{part}/messages/", json={"data": "to its namesake"})
    assert list(serve_here().rooms) == ["quiz", f"quiz/{part}"]
    assert (await http.get("quiz/messages/")).json()["messages"][0]["data"] == "to quiz"
    namesake = (await http.get(f"quiz/{part}/messages/")).json()
    assert namesake["messages"][0]["data"] == "to its namesake"
    assert (await http.get(f"quiz/{part}/members/")).json()["room"] == f"quiz/{part}"


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


BAD_NAMES = [
    *("x" * 65, "%00", "%E2%80%AE", "%2e%2e", "%5c"),
    *("quiz/" + "x" * 65, "quiz/%00", "quiz/%2e%2e", "quiz%2F%2e%2e", "%2e%2e%2Fquiz", "quiz/%20"),
    *("Quiz/first", "%20/first", "k" * 65 + "/first", "qu%C3%AFz/first", "quiz%5c/first"),
]


async def test_a_bad_room_name_is_refused_in_words(http: httpx.AsyncClient) -> None:
    for name in BAD_NAMES:
        answer = await http.post(f"{name}/messages/", json={"data": 1})
        assert answer.status_code in (400, 404), name
        assert answer.json()["error"]["detail"]
        assert (await http.get("")).json() == {"rooms": []}


@pytest.mark.parametrize("path", ["", "messages/", "events/"])
async def test_a_bad_room_name_cannot_be_read_either(http: httpx.AsyncClient, path: str) -> None:
    for name in BAD_NAMES:
        answer = await http.get(f"{name}/{path}")
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["field"]) == (400, "bad_name", "room")


@pytest.mark.parametrize(
    ("name", "fault"),
    [("Quiz/first", "not 'Quiz'"), ("quiz/..%00", "U+0000"), ("quiz/" + "x" * 65, "at most 64")],
)
async def test_what_is_wrong_with_the_name_of_a_room_of_a_kind_is_said(
    http: httpx.AsyncClient, name: str, fault: str
) -> None:
    answer = await http.get(f"{name}/members/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_name")
    assert fault in answer.json()["error"]["detail"]


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
    kind = ("quiz/first/", "quiz/first/messages/", "quiz/first/members/", "user/0123456789abcdef/")
    for path in (
        "",
        "log/",
        "log/messages/",
        "new/",
        "new/messages/",
        "log/messages/?offset=0",
        *kind,
    ):
        query = path + ("&" if "?" in path else "?") + "data=2&method=POST&_method=POST"
        for method in ("GET", "HEAD", "OPTIONS"):
            await http.request(method, path)
            await http.request(method, query, headers={"X-HTTP-Method-Override": "POST"})
    for path in ("new/events/", "log/events/", "quiz/first/events/"):
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
    "path",
    ["x/y/z/", "x/messages/1", "../room/", "../", "x//", "x//y/", "x%2Fy/z/", "%2e%2e/x/z/"],
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
