"""Each log line is one JSON object, of a bounded size, whatever is logged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import textwrap
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.json_lines import LONGEST, JsonLines
from tests.processes import ROOT, Process

BUGGY = """
    import os
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    from app import application as project
    from realtime.consumers import AsyncWebsocketConsumer

    class Buggy(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            raise RuntimeError("a bug\\nof two lines: " + text_data)

    buggy = Buggy.as_asgi()

    async def application(scope, receive, send):
        own = scope["type"] == "websocket" and scope["path"] == "/buggy"
        await (buggy if own else project)(scope, receive, send)
"""
UVICORN = ["-m", "uvicorn", "--port", "{port}"]


def line(message: object, *arguments: object, error: Any = None, **extra: Any) -> dict[str, Any]:
    record = logging.LogRecord("realtime", logging.WARNING, "", 1, message, arguments, error)
    record.__dict__ |= extra
    text = JsonLines().format(record)
    assert "\n" not in text
    fields: dict[str, Any] = json.loads(text)
    return fields


def test_a_line_says_when_how_bad_where_and_what() -> None:
    fields = line("%d of %s", 3, "Zoë\n\u202e\0")
    at = datetime.fromisoformat(fields.pop("time"))
    assert at.tzinfo is not None
    assert fields == {"level": "WARNING", "logger": "realtime", "message": "3 of Zoë\n\u202e\0"}


def test_a_traceback_is_a_field_and_not_lines() -> None:
    try:
        raise ValueError("no\nway")
    except ValueError:
        fields = line("It failed", error=sys.exc_info())
    assert fields["exception"].startswith("Traceback")
    assert fields["exception"].endswith("ValueError: no\nway")


def test_the_longest_line_is_bounded_and_says_what_it_lacks() -> None:
    try:
        recursing: Callable[[str], Any] = lambda text: recursing(text) if text else None  # noqa: E731
        recursing("x" * 100)
    except RecursionError:
        fields = line("y" * 1_000_000, error=sys.exc_info(), color_message="z" * 1_000_000)
    assert len(json.dumps(fields)) < 3 * LONGEST
    assert f"{1_000_000 - LONGEST:,} characters" in fields["message"]
    assert "color_message" not in fields


@pytest.mark.parametrize("message", [{"a": 1}, ["b"], 7, None, "\ud800", ValueError("x")])
def test_whatever_is_logged_can_be_read(message: object) -> None:
    assert line(message)["message"] == str(message)


async def talk(process: Process, visitors: int) -> None:
    """Each comes, says something to the room, hears it, and closes as a browser does."""
    for number in range(visitors):
        async with connect(process.ws(f"/ws/rooms/quiet/?name=n{number}")) as socket:
            await socket.send('{"type": "message", "data": "hi", "ref": 1}')
            while json.loads(await socket.recv())["type"] != "ack":
                pass
        async with connect(process.ws("/ws/echo/")) as socket:
            await socket.send("hello")
            await socket.recv()
    async with httpx.AsyncClient() as client:
        for path in ("/", "/nothing-here", "/rooms/quiet/", "/healthz"):
            await client.get(process.http(path))


def lines(process: Process) -> list[dict[str, Any]]:
    return [json.loads(text) for text in process.said().splitlines()]


async def test_fifty_visitors_make_no_line_of_ours(start: Callable[..., Process]) -> None:
    process = start(*UVICORN, "app:application", REALTIME_LOG_FORMAT="json")
    said_at_the_start = len(lines(process))
    await talk(process, 50)
    assert process.stop() == 0
    loggers = {each["logger"] for each in lines(process)[said_at_the_start:]}
    assert loggers == {"uvicorn.error", "uvicorn.access"}


async def test_the_way_for_people_is_as_quiet(start: Callable[..., Process]) -> None:
    process = start(*UVICORN, "app:application", "--log-level", "warning")
    await talk(process, 50)
    assert process.stop() == 0
    assert process.said() == ""


async def test_a_bug_is_one_line_with_its_traceback(
    start: Callable[..., Process], tmp_path: Path
) -> None:
    (tmp_path / "buggy.py").write_text(textwrap.dedent(BUGGY))
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    process = start(*UVICORN, "buggy:application", REALTIME_LOG_FORMAT="json", PYTHONPATH=paths)
    async with connect(process.ws("/buggy")) as socket, asyncio.timeout(10):
        await socket.send("hello")
        with contextlib.suppress(ConnectionClosed):
            await socket.recv()
    process.stop()
    [bug] = [each for each in lines(process) if each["level"] == "ERROR"]
    assert bug["level"] == "ERROR"
    assert bug["exception"].endswith("RuntimeError: a bug\nof two lines: hello")


async def test_what_uvicorn_says_is_json_too_under_app_py(start: Callable[..., Process]) -> None:
    process = start("app.py", "--port", "{port}", REALTIME_LOG_FORMAT="json")
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    writer.write(b"nonsense\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    process.stop()
    said = [text for text in process.said().splitlines() if "uvicorn" in text]
    assert json.loads(said[0])["message"] == "Invalid HTTP request received."
