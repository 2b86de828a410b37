"""Which path leads where, and what an unknown one is told."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import unquote

import pytest
from asgiref.testing import ApplicationCommunicator
from django.urls import path, re_path

from realtime.routing import readable_paths, served, websocket_router, websocket_urlpatterns


async def said_by(router: Any, address: str) -> dict[str, Any]:
    """The first event after the handshake."""
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": unquote(address),
        "headers": [],
        "client": None,
    }
    communicator = cast(Any, ApplicationCommunicator)(router, scope)
    await communicator.send_input({"type": "websocket.connect"})
    assert await communicator.receive_output() == {"type": "websocket.accept"}
    event: dict[str, Any] = await communicator.receive_output()
    await communicator.wait()
    return event


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": repr(scope["url_route"]["kwargs"])})


@pytest.mark.parametrize("spelling", ["/ws/hello", "/ws/hello/"])
async def test_both_spellings_lead_to_the_consumer(spelling: str) -> None:
    router = websocket_router([re_path(r"^ws/hello/?$", hello)])  # type: ignore[arg-type]
    assert (await said_by(router, spelling))["text"] == "{}"


async def test_a_pattern_of_path_works_too_and_hands_on_its_values() -> None:
    router = websocket_router([path("ws/<str:room>/", hello)])  # type: ignore[arg-type]
    assert (await said_by(router, "/ws/k%C3%BCche/"))["text"] == "{'room': 'küche'}"


@pytest.mark.parametrize("address", ["/", "/ws/", "/ws/echoes/", "/ws/echo/%0a", "/echo/", "/%00"])
async def test_an_unknown_path_is_accepted_then_closed_with_4404(address: str) -> None:
    event = await said_by(websocket_router(websocket_urlpatterns), address)
    assert (event["type"], event["code"]) == ("websocket.close", 4404)
    assert len(event["reason"].encode()) <= 123


async def test_an_unknown_path_is_one_line_in_the_log_that_names_the_known(
    logged: list[str],
) -> None:
    await said_by(websocket_router([re_path(r"^ws/hello/?$", hello)]), "/ws/%1b" + "a" * 500)  # type: ignore[arg-type]
    [line] = logged
    assert line.endswith("'. There are: /ws/hello/")
    assert r"\x1b" in line
    assert len(line) < 300


def test_paths_are_written_as_a_person_would() -> None:
    patterns = [re_path(r"^ws/rooms/(?P<room>[^/]+)/?$", hello), path("ws/<int:number>/", hello)]  # type: ignore[arg-type]
    assert readable_paths(patterns) == ["/ws/rooms/<room>/", "/ws/<number>/"]


def test_both_echo_paths_are_there() -> None:
    assert {"/ws/echo/", "/ws/real-time/"} <= set(readable_paths(websocket_urlpatterns))


def test_pages_name_the_sockets_that_the_project_lists(settings: Any) -> None:
    import app

    assert served() is app.websocket_urlpatterns
    settings.ROOT_URLCONF = "realtime.web.urls"
    assert served() is websocket_urlpatterns
