"""docs/tutorials-corrected.md: a section for each mistake, whose code makes it and mends it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import InMemoryChannelLayer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.urls import path

from realtime.doctor import settings_file
from realtime.doctor.mistakes import MISTAKES, PAGE
from realtime.doctor.project import look
from tests.processes import ROOT
from tests.test_doctor_project import SOUND, write

TEXT = (ROOT / PAGE).read_text()
BLOCKS = re.findall(
    r"^<!-- (wrong|right) ([\w-]+): (\S+) -->\n```(?:python|js)\n(.*?)^```$",
    TEXT,
    re.MULTILINE | re.DOTALL,
)


def test_the_page_has_a_section_for_each_mistake_in_the_lists_order() -> None:
    titles = re.findall(r"^### `(.+)`$", TEXT, re.MULTILINE)
    assert titles == [mistake.error for mistake in MISTAKES.values()]


def test_each_section_shows_the_mistake_and_the_mend() -> None:
    shown = [(side, mistake) for side, mistake, *_ in BLOCKS]
    spoken = {"runserver"}  # a command, and no code
    wanted = [(side, m) for m in MISTAKES if m not in spoken for side in ("wrong", "right")]
    assert shown == wanted
    assert TEXT.count("<!-- ") == len(BLOCKS)


@pytest.mark.parametrize(
    ("side", "mistake", "name", "code"), BLOCKS, ids=[f"{b[0]} {b[1]}" for b in BLOCKS]
)
def test_the_doctor_finds_the_wrong_code_and_not_the_right(
    side: str, mistake: str, name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_file, "find_spec", lambda name: None)  # no daphne
    found = {finding.mistake for finding in look(write(tmp_path, SOUND | {name: code}))}
    assert (mistake in found) is (side == "wrong")


# --- The errors are what Django and Channels say -------------------------------------------------


class ChatConsumer(AsyncWebsocketConsumer):
    async def receive(self, text_data: str) -> None: ...


async def binary_frame() -> None:
    socket = WebsocketCommunicator(ChatConsumer.as_asgi(), "/")
    await socket.connect()
    await socket.send_to(bytes_data=b"x")
    await socket.wait()


async def call(application: Any, kind: str, path: str = "/") -> None:
    await application({"type": kind, "path": path}, None, None)


async def nested() -> None:
    async_to_sync(binary_frame)()


async def blocking_query() -> None:
    User.objects.count()


ERRORS: dict[str, Callable[[], Awaitable[object]]] = {
    "no-bytes-data": binary_frame,
    "router-unserved": lambda: call(get_asgi_application(), "websocket"),
    "no-http": lambda: call(ProtocolTypeRouter({}), "http"),
    "last-slash": lambda: call(
        URLRouter([path("ws/chat/", ChatConsumer.as_asgi())]), "websocket", "/ws/chat"
    ),
    "as-asgi": lambda: call(URLRouter([path("ws/chat/", ChatConsumer)]), "websocket", "/ws/chat/"),
    "group-name": lambda: InMemoryChannelLayer().group_add("chat_Küche", "x"),
    "async-to-sync": nested,
    "sync-orm": blocking_query,
}


@pytest.mark.parametrize("mistake", ERRORS)
async def test_the_title_is_the_message_that_is_seen(mistake: str) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        await ERRORS[mistake]()
    said = f"{type(raised.value).__name__}: {raised.value}"
    assert said.startswith(MISTAKES[mistake].error)
