"""`python app.py publish` and `rooms`, in processes of their own, against a running server."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import ROOT, Process, running

Start = Callable[..., Process]


def command(
    port: int, *arguments: str | bytes, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"REALTIME_URL": f"http://127.0.0.1:{port}"},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def port(start: Start) -> int:
    return start("-m", "uvicorn", "app:application", "--port", "{port}").port


def test_what_is_published_is_in_the_room(port: int) -> None:
    said = "No rooms now: one begins when somebody enters it, or something is published there.\n"
    assert command(port, "rooms").stdout == said
    done = command(port, "publish", "Küche 🍕", '{"temp": 21.5}')
    assert (done.returncode, done.stdout) == (0, "1 published, 0 listening\n")
    done = command(port, "publish", "Küche 🍕", "-", stdin='1\n\n"two"\n')
    assert (done.returncode, done.stdout) == (0, "2 published, 0 listening\n")
    listed = command(port, "rooms").stdout.splitlines()
    assert listed[0].split() == ["room", "members", "connections", "messages"]
    assert listed[1].split() == ["Küche", "🍕", "0", "0", "3"]


def test_what_is_published_in_a_room_of_a_kind_is_there(port: int) -> None:
    for room in ("quiz/first", "quiz/messages"):
        done = command(port, "publish", room, '{"a": 1}')
        assert (done.returncode, done.stdout) == (0, "1 published, 0 listening\n")
    listed = command(port, "rooms").stdout.splitlines()
    assert [line.split() for line in listed[1:]] == [
        ["quiz/first", "0", "0", "1"],
        ["quiz/messages", "0", "0", "1"],
    ]


def test_what_cannot_be_published_is_said_in_a_sentence(port: int) -> None:
    large = '"' + "x" * 65_536 + '"'
    refusals: dict[tuple[str | bytes, str], str] = {
        ("kitchen", "{nope"): "CommandError: This is not JSON: '{nope'",
        (
            "kitchen",
            large,
        ): f"CommandError: The server at http://127.0.0.1:{port}/api/rooms/kitchen",
        ("x" * 65, "1"): "CommandError: A room name has at most 64 characters",
        ("Quiz/first", "1"): "CommandError: A room's kind",
        ("quiz/first/second", "1"): "CommandError: A room name has at most one slash",
        ("../status", "1"): "CommandError: A room's kind",
        ("..", "1"): 'CommandError: "." and ".." mean folders',
        ("", "1"): "CommandError: A room name needs something to see",
        (b"\xff", "1"): "CommandError: A room name cannot have U+DCFF",
    }
    for arguments, words in refusals.items():
        done = command(port, "publish", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(words), done.stderr
        assert done.stderr.count("\n") == 1
    assert command(port, "rooms").stdout.startswith("No rooms")


def test_a_refused_line_of_a_pipe_is_named(port: int) -> None:
    large = '"' + "x" * 65_536 + '"'
    done = command(port, "publish", "kitchen", "-", stdin=f"1\n{large}\n")
    assert done.stderr.startswith("CommandError: Line 2: The server at http://127.0.0.1:")
    assert "refused: A message may have 65,536 bytes. Published before it: 1;" in done.stderr


def test_without_a_server_the_commands_say_where_they_looked() -> None:
    for arguments in (["rooms"], ["publish", "kitchen", "1"]):
        done = command(1, *arguments)
        assert done.returncode == 1
        assert "No answer from http://127.0.0.1:1/" in done.stderr
        assert "REALTIME_URL" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_bad_line_ends_a_pipe_and_what_was_published_before_it_is_said(port: int) -> None:
    done = command(port, "publish", "kitchen", "-", stdin="1\n2\nnope\n4\n")
    assert (done.returncode, done.stdout) == (1, "2 published, 0 listening\n")
    assert "Line 3 is not JSON: 'nope'" in done.stderr
    assert "Published before it: 2; after it nothing." in done.stderr
    listed = command(port, "rooms").stdout.splitlines()
    assert listed[1].split() == ["kitchen", "0", "0", "2"]
    assert "Traceback" not in done.stderr


def test_a_terminal_sees_the_progress_in_one_line(port: int) -> None:
    ours, theirs = pty.openpty()
    publisher = subprocess.Popen(
        [sys.executable, "app.py", "publish", "kitchen", "-"],
        cwd=ROOT,
        env=os.environ | {"REALTIME_URL": f"http://127.0.0.1:{port}"},
        stdin=subprocess.PIPE,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    with publisher, os.fdopen(ours, "rb", buffering=0) as screen:
        assert publisher.stdin
        for number in (1, 2):
            publisher.stdin.write(b"%d\n" % number)
            publisher.stdin.flush()
            assert b"\r%d published, 0 listening" % number in screen.read(1000)
        publisher.send_signal(signal.SIGINT)
        assert publisher.wait(20) == 130
        assert screen.read(1000) == b"\r\n"


def test_a_pipe_of_many_lines_uses_one_connection(tmp_path: Path) -> None:
    server = ("-m", "uvicorn", "app:application", "--port", "{port}", "--access-log")
    with running(*server, folder=tmp_path) as process:
        lines = "".join(f"{number}\n" for number in range(300))
        done = command(process.port, "publish", "kitchen", "-", stdin=lines)
        assert done.stdout == "300 published, 0 listening\n"
        peers = re.findall(r"127.0.0.1:(\d+) - \"POST /api", process.said())
    assert len(peers) == 300
    # It is opened anew only where this machine stood still for two seconds.
    assert len(set(peers)) < 10
