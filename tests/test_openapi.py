"""docs/openapi.json: the HTTP API in OpenAPI 3.1, its shapes made of the types that the views use.

To write the file anew: python -m tests.test_openapi

What stands here by hand, addresses and statuses, is checked against a real server by schemathesis.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped, unused-ignore]
import msgspec
import pytest
from django.urls import URLPattern
from django.urls.resolvers import RoutePattern

from realtime.messages import MemberInfo, RoomMessage
from realtime.names import MAX_FULL_LENGTH
from realtime.web import answers
from realtime.web.api import Post
from realtime.web.operate import Farewell, Nothing, Words
from tests.browsers import COMMAND
from tests.processes import ROOT, Process, running

FILE = ROOT / "docs/openapi.json"
SECONDS = 300 if os.environ.get("LONG_TESTS") else 20
TOKEN = "correct-horse"

SHAPES = {
    cls.__name__: cls
    for cls in (Post, Farewell, Nothing, Words, *vars(answers).values(), MemberInfo, RoomMessage)
    if isinstance(cls, type) and issubclass(cls, msgspec.Struct) and cls is not msgspec.Struct
}

# Why something was not done. Each is a Refusal in JSON.
REFUSED = {
    400: "Something in the address or the body cannot be used: `field` says what.",
    401: "There is a token, and it was not sent.",
    403: "Asked by a page of another origin; or without a token set, by another machine.",
    404: "There is no room of that name now, or nobody of that id in it.",
    405: "The method is not for this address; the header Allow has those that are.",
    409: "So many screens are expected already.",
    413: "The body is larger than REALTIME_MAX_MESSAGE_SIZE.",
    500: "A bug in the server: `detail` has the id under which its log says more.",
    501: "The project uses another channel layer than realtime.layers.InMemoryChannelLayer.",
    503: "The server is full: of rooms, or of event streams.",
}
ALWAYS = (400, 401, 403, 405, 500)

ROOM = {
    "name": "room",
    "in": "path",
    "required": True,
    "description": (
        "Any Unicode text without control characters, slashes and bidirectional marks, of at most "
        "64 characters. A room of a kind has it before its name: `quiz/first`, the slash as it is "
        "or as %2F. After one name alone, messages, events and members are parts of that room."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_FULL_LENGTH},
    "examples": {"plain": {"value": "kitchen"}, "of a kind": {"value": "quiz/first"}},
}
WHOLE = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}


def reference(shape: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{shape}"}


def body(shape: str) -> dict[str, Any]:
    return {"application/json": {"schema": reference(shape)}}


def parameter(place: str, name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema, "description": description}


def operation(name: str, summary: str, answers: dict[int, Any], *refused: int, **more: Any) -> Any:
    """One method of one address: how it ends well, and the statuses of its own that it may have."""
    responses = {str(status): answer for status, answer in answers.items()}
    for status in sorted({*ALWAYS, *refused}):
        answer = {"description": REFUSED[status], "content": body("Refusal")}
        if status == 401:
            answer["headers"] = {"WWW-Authenticate": {"schema": {"const": "Bearer"}}}
        if status == 405:
            answer["headers"] = {"Allow": {"schema": {"type": "string"}}}
        responses[str(status)] = answer
    return {"operationId": name, "summary": summary, **more, "responses": responses}


ETAG = {"ETag": {"description": '`"epoch:offset"`', "schema": {"type": "string"}}}
MESSAGES = {"description": "In order.", "content": body("Messages"), "headers": ETAG}
STREAM = {
    "description": (
        "The data of the event `welcome` is a Standing; that of `message`, `signal`, `presence` "
        "and `ping` is what docs/schema/server.json says. The id of a message is `epoch:offset`. "
        "Where nothing comes for REALTIME_HEARTBEAT seconds, a comment does."
    ),
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}

PATHS: dict[str, Any] = {
    "/api/rooms/": {
        "get": operation(
            "rooms",
            "The rooms there are",
            {200: {"description": "All, those of a kind too.", "content": body("Rooms")}},
        )
    },
    "/api/rooms/{room}/": {
        "parameters": [ROOM],
        "get": operation(
            "room",
            "Who is in a room",
            {200: {"description": "The room.", "content": body("RoomState")}},
            404,
        ),
    },
    "/api/rooms/{room}/messages/": {
        "parameters": [ROOM],
        "get": operation(
            "messages",
            "What was said, or what came after an offset",
            {200: MESSAGES, 304: {"description": "Nothing new since that ETag.", "headers": ETAG}},
            404,
            parameters=[
                parameter("query", "epoch", {"type": "string"}, "Of the answer before."),
                parameter("query", "offset", WHOLE, "Of the answer before: what came after it."),
                parameter("header", "If-None-Match", {"type": "string"}, "The ETag before."),
            ],
        ),
        "post": operation(
            "publish",
            "Say something in a room, which is made if there is none",
            {201: {"description": "Where it went.", "content": body("Posted")}},
            413,
            503,
            requestBody={"required": True, "content": body("Post")},
        ),
    },
    "/api/rooms/{room}/events/": {
        "parameters": [ROOM],
        "get": operation(
            "events",
            "A room as Server-Sent Events, without end",
            {200: STREAM},
            501,
            503,
            parameters=[
                parameter("query", "history", WHOLE, "Recent messages to begin with."),
                parameter("header", "Last-Event-ID", {"type": "string"}, "Where to go on."),
            ],
        ),
    },
}

MEMBER = {
    "name": "member",
    "in": "path",
    "required": True,
    "description": "The member's id, as in the roster.",
    "schema": {"type": "string", "minLength": 1},
    "example": "5f2b8c90d1e34a67",
}
QUERY = {"type": "string"}
ACTS = {
    "disconnect": ("End all connections of a member", "Farewell", "Closed", ()),
    "identify": ("Let a screen flash its name", "Nothing", "Told", ()),
    "message": ("Show a text on a screen", "Words", "Told", ()),
    "reload": ("Let a screen load itself anew", "Nothing", "Told", ()),
    "expect": ("Miss this screen when it is gone", "Nothing", "Expected", (409,)),
    "forget": ("Do not miss this screen any more", "Nothing", "Expected", ()),
}


def act(name: str, *refused: int) -> Any:
    """A POST that somebody at the operator's page makes with a button."""
    summary, asked, answered, _ = ACTS[name.removesuffix("All")]
    return operation(
        name,
        summary.replace("a screen", "every screen") if name.endswith("All") else summary,
        {200: {"description": "Done.", "content": body(answered)}},
        413,
        *refused,
        requestBody={"required": asked == "Words", "content": body(asked)},
    )


PATHS |= {
    "/api/rooms/{room}/members/": {
        "parameters": [ROOM],
        "get": operation(
            "members",
            "Who is in a room, and what waits for them",
            {200: {"description": "At most 200.", "content": body("Members")}},
            404,
            parameters=[parameter("query", "q", QUERY, "A part of the name, or the id's start.")],
        ),
    },
    **{
        f"/api/rooms/{{room}}/members/{{member}}/{name}/": {
            "parameters": [ROOM, MEMBER],
            "post": act(name, 404, *ACTS[name][3]),
        }
        for name in ACTS
    },
    **{
        f"/api/screens/{name}/": {"post": act(f"{name}All")}
        for name in ("identify", "message", "reload")
    },
    "/api/status/": {
        "get": operation(
            "status",
            "What the server is doing",
            {200: {"description": "Now.", "content": body("Status")}},
            parameters=[
                parameter("query", "q", QUERY, "Rooms with this in their name."),
                parameter("query", "series", QUERY, "Present: the last ten minutes as well."),
            ],
        )
    },
}


def shapes() -> dict[str, Any]:
    _, parts = msgspec.json.schema_components(
        SHAPES.values(), ref_template="#/components/schemas/{name}"
    )
    for part in parts.values():
        part["description"] = inspect.cleandoc(part.get("description", ""))
    # What Raw stands for is named as docs/schema has it.
    named = json.dumps(parts).replace("#/$defs/", "#/components/schemas/")
    return json.loads(named)  # type: ignore[no-any-return]


def document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rooms over HTTP",
            "version": "1",
            "description": "For scripts, sensors, cron and curl. The last slash may be left out.",
        },
        "servers": [{"url": "http://127.0.0.1:8000"}],
        "paths": PATHS,
        "components": {
            "schemas": shapes(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "REALTIME_API_TOKEN. With none set, this machine needs none.",
                }
            },
        },
        "security": [{"token": []}],
    }


def as_text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def test_the_committed_document_is_what_the_types_say() -> None:
    assert FILE.read_text(encoding="utf-8") == as_text(document()), (
        "run python -m tests.test_openapi"
    )


def test_every_address_of_the_api_is_in_it_with_its_methods() -> None:
    from realtime.web.urls import urlpatterns  # needs Django, which the command does without

    served = {
        f"/{route}": set(methods(pattern))
        for pattern in urlpatterns
        if isinstance(pattern, URLPattern)
        and isinstance(pattern.pattern, RoutePattern)
        and (route := re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))).startswith("api/")
        and route.endswith("/")
    }
    told = {path: {"get", "post"} & item.keys() for path, item in PATHS.items()}
    assert told == served


def methods(pattern: URLPattern) -> list[str]:
    """Those that the view itself says it has."""
    from django.test import RequestFactory

    kwargs = dict.fromkeys(pattern.pattern.converters, "room")
    view: Any = pattern.callback(RequestFactory().options("/"), **kwargs)
    with pytest.raises(StopIteration) as ended:
        view.send(None)
    allowed = ended.value.value.headers["Allow"].lower().split(", ")
    return [method for method in allowed if method not in ("head", "options")]


def test_every_shape_is_a_schema_and_has_words() -> None:
    parts = shapes()
    for name, part in parts.items():
        jsonschema.Draft202012Validator.check_schema(part)
        assert part["description"], name
    text = json.dumps(document())
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in parts, name
    assert "$defs" not in text


# Against a server.


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    env = {"REALTIME_API_TOKEN": TOKEN}
    with running(*COMMAND, folder=tmp_path_factory.mktemp("server"), env=env) as process:
        yield process


@pytest.mark.timeout(SECONDS + 120)
def test_no_request_that_can_be_made_up_is_answered_otherwise(
    api_server: Process, tmp_path: Path
) -> None:
    """By schemathesis, as a command: its plugin for pytest would have a say in every other test."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(FILE)),
        *("--url", api_server.http("").rstrip("/")),
        *("-H", f"Authorization: Bearer {TOKEN}"),
        # A stream has no end to wait for: tests/test_events.py.
        *("--exclude-path-regex", "events"),
        # What a name may be is more than a pattern can say, so that good data may be refused.
        *("--checks", "all", "--exclude-checks", "positive_data_acceptance"),
        *("--max-time", str(SECONDS), "--max-examples", "100", "--seed", "1"),
        *("--generation-database", "none", "--no-color"),
    ]
    run = subprocess.run(
        command,
        cwd=tmp_path,  # it writes beside itself
        capture_output=True,
        text=True,
        timeout=SECONDS + 100,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout[-1500:])  # noqa: T201 (shown by -s: how much was tried)
    log = api_server.said()
    assert "Traceback" not in log, log[-4000:]


if __name__ == "__main__":
    FILE.write_text(as_text(document()), encoding="utf-8")
