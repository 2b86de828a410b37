"""`python app.py watch ROOM`: its lines, and how it holds to a server that comes and goes."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from realtime.management.commands.watch import Lines, changes
from tests.processes import ROOT, Process, free_port, running, variables

Start = Callable[..., Process]
UVICORN = ["-m", "uvicorn", "app:application", "--port", "{port}"]


def member(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name.lower(), "name": name, "connections": 1, "state": {}, "away": False} | more


def presence(**more: Any) -> dict[str, Any]:
    count = {"members": 3, "connections": 3}
    return {"type": "presence", "count": count, "joins": [], "updates": [], "leaves": []} | more


def after_clock(lines: list[str]) -> list[str]:
    """The lines without their time of day."""
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in lines)
    return [line[10:] for line in lines]


def test_comings_and_goings_are_signs_and_names() -> None:
    lines = Lines()
    assert after_clock(lines.of({"type": "welcome"})) == ["Nobody is here."]
    assert after_clock(lines.of(presence(joins=[member("Ada"), member("Bo")]))) == ["+ Ada", "+ Bo"]
    assert after_clock(lines.of(presence(updates=[member("Ada", away=True)]))) == ["~ Ada away"]
    assert after_clock(lines.of(presence(updates=[member("Ada")]))) == ["~ Ada is back"]
    assert after_clock(lines.of(presence(leaves=["bo", "who"]))) == ["- Bo", "- who"]
    assert after_clock(lines.of({"type": "welcome"})) == ["1 here: Ada"]
    assert after_clock(lines.of(presence())) == ["= 3 members"]


def test_of_a_crowd_the_first_are_named_and_the_others_counted() -> None:
    lines = Lines()
    lines.know([member("Ada"), member("Bo")], 1234)
    assert after_clock(lines.of({"type": "welcome"})) == ["1,234 here: Ada, Bo and 1,232 more"]
    lines.know([member("Ada")], 1)
    assert after_clock(lines.of({"type": "welcome"})) == ["1 here: Ada"]


def test_a_message_has_who_and_what() -> None:
    lines = Lines()
    at = "2026-01-02T03:04:05.678+00:00"
    message = {"type": "message", "name": "Ada", "member": "ada", "at": at}
    for data, words in {
        "hi": "hi",
        "a\nb": "a\\nb",
    }.items():
        assert after_clock(lines.of(message | {"data": data})) == [f"Ada  {words}"]
        assert after_clock(lines.of(message | {"data": {"text": data}})) == [f"Ada  {words}"]
    assert after_clock(lines.of(message | {"data": {"ü": [1]}})) == ['Ada  {"ü": [1]}']
    server = {"type": "message", "name": "", "member": None, "at": at, "data": 1}
    assert after_clock(lines.of(server)) == ["server  1"]
    signal = {"type": "signal", "member": None, "data": {"typing": True}}
    assert after_clock(lines.of(signal)) == ['server  (signal) {"typing": true}']
    assert lines.of({"type": "ping"}) == []


def test_a_change_is_said_in_words_and_a_second_tab_is_none() -> None:
    ada = member("Ada")
    assert changes(ada, member("Ada", connections=2)) == []
    assert changes(ada, member("Bo", id="ada")) == ["Ada is now Bo"]
    assert changes(ada, member("Ada", state={"hand": "up"})) == ['Ada  {"hand": "up"}']


def test_nothing_hostile_reaches_the_terminal() -> None:
    lines = Lines(is_painted=True)
    bad = member("\x1b[2J\u202e", state={"\x9b": "\x07"})
    written = [
        *lines.of(presence(joins=[bad])),
        *lines.of(presence(updates=[{**bad, "state": {"x": "\x1bc"}, "name": "\r"}])),
        *lines.of(presence(leaves=[bad["id"]])),
        *lines.of({"type": "signal", "member": "\x1b]0;", "data": "\x1b"}),
    ]
    text = re.sub("\x1b\\[[0-9;]+m", "", "".join(written))
    assert len(written) == 5
    assert text.isprintable()


# --- On a running server -------------------------------------------------------------------------


@contextlib.contextmanager
def watching(
    port: int, *arguments: str, room: str = "Küche", **more: Any
) -> Iterator[subprocess.Popen[str]]:
    popen = subprocess.Popen(
        [sys.executable, "app.py", "watch", room, *arguments],
        cwd=ROOT,
        env=variables({"REALTIME_URL": f"http://127.0.0.1:{port}", "REALTIME_HEARTBEAT": "2"}),
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more,
    )
    try:
        yield popen
    finally:
        popen.kill()
        popen.communicate()


def next_line(popen: subprocess.Popen[str]) -> str:
    assert popen.stdout
    return popen.stdout.readline().rstrip("\n")


def publish(port: int, data: Any, room: str = "K%C3%BCche") -> None:
    url = f"http://127.0.0.1:{port}/api/rooms/{room}/messages/"
    assert httpx.post(url, json={"data": data}).status_code == 201


def test_a_line_for_each_event_until_ctrl_c(start: Start) -> None:
    process = start(*UVICORN)
    with watching(process.port) as watcher:
        assert next_line(watcher).endswith("Nobody is here.")
        with connect(process.ws("/ws/rooms/K%C3%BCche/?name=Ada")) as socket:
            assert next_line(watcher).endswith("  + Ada")
            socket.send(json.dumps({"type": "message", "data": {"text": "\x1b[2Jhi"}}))
            assert next_line(watcher).endswith("  Ada  \\x1b[2Jhi")
        assert next_line(watcher).endswith("  - Ada")
        watcher.send_signal(signal.SIGINT)
        out, err = watcher.communicate(timeout=20)
    assert (watcher.returncode, out, err) == (130, "", "")


def test_a_room_of_a_kind_is_watched_by_its_name(start: Start) -> None:
    process = start(*UVICORN)
    with connect(process.ws("/ws/examples/poll/drinks/?name=Ada")) as socket:
        socket.recv()  # welcome: she is in
        with watching(process.port, room="poll/drinks") as watcher:
            assert next_line(watcher).endswith("  1 here: Ada")
            publish(process.port, "closing soon", room="poll/drinks")
            assert next_line(watcher).endswith("  server  closing soon")


@pytest.mark.parametrize("part", ["messages", "events", "members"])
def test_a_room_that_is_named_as_a_part_of_another_is_watched_too(start: Start, part: str) -> None:
    process = start(*UVICORN)
    with (
        connect(process.ws("/ws/rooms/quiz/?name=Ada")) as socket,
        watching(process.port, room=f"quiz/{part}") as watcher,
    ):
        socket.recv()  # welcome: she is in the other one
        assert next_line(watcher).endswith("  Nobody is here.")
        publish(process.port, "hi", room=f"quiz/{part}")
        assert next_line(watcher).endswith("  server  hi")


def test_json_is_one_object_a_line(start: Start) -> None:
    process = start(*UVICORN)
    with watching(process.port, "--json") as watcher:
        assert json.loads(next_line(watcher))["type"] == "welcome"
        publish(process.port, {"temp": 21.5})
        message = json.loads(next_line(watcher))
    assert (message["type"], message["offset"], message["data"]) == ("message", 1, {"temp": 21.5})


def test_it_comes_back_after_a_server_that_was_killed(tmp_path: Path) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        with running(*UVICORN, folder=tmp_path, port=port) as process:
            watcher = stack.enter_context(watching(port))
            assert next_line(watcher).endswith("Nobody is here.")
            publish(port, "before")
            assert next_line(watcher).endswith("  server  before")
            process.popen.kill()
        assert watcher.stderr
        assert watcher.stderr.readline().startswith("The server is gone (")
        with running(*UVICORN, folder=tmp_path, port=port):
            assert next_line(watcher).endswith("Nobody is here.")
            publish(port, "after")
            assert next_line(watcher).endswith("  server  after")
        said = next(line for line in watcher.stderr if line.startswith("Connected"))
        assert said == "Connected again: what was said meanwhile may be missing.\n"


def test_a_reader_that_has_enough_ends_it_without_a_word(start: Start) -> None:
    process = start(*UVICORN)
    with watching(process.port) as watcher:
        next_line(watcher)
        assert watcher.stdout
        watcher.stdout.close()
        publish(process.port, 1)
        assert watcher.wait(20) == 0
        assert watcher.stderr
        assert watcher.stderr.read() == ""


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_only_a_terminal_gets_colours(
    start: Start, monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    process = start(*UVICORN)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with watching(process.port, stdout=theirs, stderr=theirs), os.fdopen(ours, "rb") as screen:
        os.close(theirs)
        line = screen.readline()
    assert b"Nobody is here." in line
    assert (b"\x1b[" in line) is coloured


def test_what_cannot_be_watched_is_a_sentence(start: Start) -> None:
    with watching(1) as watcher:
        out, err = watcher.communicate(timeout=20)
        assert (watcher.returncode, out) == (1, "")
        assert "No answer from http://127.0.0.1:1/" in err
    with watching(1, room="Quiz/first") as watcher:
        _, err = watcher.communicate(timeout=20)
        assert (watcher.returncode, err.partition(",")[0]) == (1, "CommandError: A room's kind")
    process = start(*UVICORN, REALTIME_API_TOKEN="secret")
    with watching(process.port) as watcher:
        _, err = watcher.communicate(timeout=20)
    assert watcher.returncode == 1
    assert "refused: Send the header `Authorization: Bearer" in err
    assert "Traceback" not in err
