"""`python app.py`: its banner, its refusals in a sentence, and its stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from django.core.management.base import CommandError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.management.commands import serve
from realtime.management.commands.serve import banner, listen, port_number
from realtime.web.obstacles import ADVICE
from realtime.web.qr import terminal
from tests.processes import ROOT, Process, run, variables

Start = Callable[..., Process]


def test_the_banner_is_written_at_once_and_its_addresses_open(start: Start) -> None:
    process = start("app.py", "--port", "{port}", PYTHONUNBUFFERED="")
    said = process.said()
    assert f"On this machine:  http://localhost:{process.port}/" in said
    assert "On the network:   " in said
    assert "Stop with Ctrl+C." in said
    addresses = [word for word in said.split() if word.startswith("http://")]
    assert [httpx.get(address).status_code for address in addresses] == [200] * len(addresses)


def test_a_setting_gives_host_and_port(start: Start) -> None:
    process = start("app.py", REALTIME_PORT="{port}", REALTIME_HOST="127.0.0.1")
    assert f"Open:  http://127.0.0.1:{process.port}/" in process.said()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_with_status_0_and_tells_the_clients(
    start: Start, how: signal.Signals
) -> None:
    process = await asyncio.to_thread(start, "app.py", "--host", "127.0.0.1", "--port", "{port}")
    async with connect(process.ws("/ws/echo/")) as client:
        before = time.monotonic()
        assert await asyncio.to_thread(process.stop, how) == 0
        assert time.monotonic() - before < 5
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1012
    assert "Traceback" not in process.said()


def test_a_port_in_use_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run("app.py", "--host", "127.0.0.1", "--port", str(port))
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.strip() == (
        f"CommandError: Cannot serve at 127.0.0.1 port {port}: Address already in use. "
        f"Another port may do: python app.py --port {port + 1}"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "99999"], "'99999' is no port"),
        (["--port", "http"], "'http' is no port"),
        (["--host", "192.0.2.250"], "Cannot serve at 192.0.2.250"),
        (["--host", "nothing.invalid"], "Cannot serve at nothing.invalid"),
        (["--bogus"], "unrecognized arguments: --bogus"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(arguments: list[str], words: str) -> None:
    result = run("app.py", *arguments)
    assert result.returncode in (1, 2)
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_an_application_that_cannot_start_ends_it_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "sick.py").write_text(
        "async def application(scope, receive, send):\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'no cable'})\n"
    )
    (tmp_path / "sick_settings.py").write_text(
        "from settings import *\nASGI_APPLICATION = 'sick.application'\n"
    )
    changes = {"PYTHONPATH": str(tmp_path), "DJANGO_SETTINGS_MODULE": "sick_settings"}
    result = run("app.py", "--host", "127.0.0.1", "--port", "0", env=changes)
    assert result.returncode not in (0, 1)  # uvicorn's own status for it is 3
    assert "no cable" in result.stderr


@pytest.mark.parametrize(
    ("host", "first"),
    [
        ("127.0.0.1", "Open:  http://127.0.0.1:80/"),
        ("::1", "Open:  http://[::1]:80/"),
        ("0.0.0.0", "On this machine:  http://localhost:80/"),
        ("::", "On this machine:  http://localhost:80/"),
    ],
)
def test_the_banner_says_where(host: str, first: str) -> None:
    assert banner(host, 80).split("\n")[1] == first


def test_the_banner_names_each_address_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "lan_addresses", lambda: ["192.168.0.7", "10.0.0.9"])
    assert banner("0.0.0.0", 80).count("On the network:   http://") == 2
    monkeypatch.setattr(serve, "lan_addresses", list)
    assert "On the network:   no network found" in banner("0.0.0.0", 80)


def test_a_terminal_that_is_wide_enough_shows_the_first_address_as_a_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "lan_addresses", lambda: ["192.168.0.7", "10.0.0.9"])
    code = terminal("http://192.168.0.7:80/")
    assert code in banner("0.0.0.0", 80, columns=80)
    assert code not in banner("0.0.0.0", 80, columns=30)
    assert code not in banner("0.0.0.0", 80)
    assert "▀" not in banner("127.0.0.1", 80, columns=80)  # no phone gets there
    monkeypatch.setattr(serve, "lan_addresses", list)
    assert "▀" not in banner("0.0.0.0", 80, columns=80)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
@pytest.mark.parametrize(
    ("environment", "columns"),
    [
        ({"TERM": "xterm-256color", "COLUMNS": "90", "PYTHONIOENCODING": "utf-8"}, 90),
        ({"TERM": "xterm-256color", "COLUMNS": "90", "PYTHONIOENCODING": "ascii"}, 0),
        ({"TERM": "dumb", "COLUMNS": "90", "PYTHONIOENCODING": "utf-8"}, 0),
    ],
)
def test_only_a_terminal_that_can_is_given_blocks(
    environment: dict[str, str], columns: int
) -> None:
    import pty

    ours, theirs = pty.openpty()
    code = "from realtime.management.commands.serve import terminal_columns as columns"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; print(columns())"],
        stdout=theirs,
        cwd=ROOT,
        env=variables({**environment, "DJANGO_SETTINGS_MODULE": "settings"}),
    ) as process:
        os.close(theirs)
        with open(ours, "rb", buffering=0) as output:
            said = output.readline()
        assert process.wait() == 0
    assert int(said) == columns


def test_a_file_is_given_no_blocks(start: Start) -> None:
    process = start("app.py", "--port", "{port}", COLUMNS="90", PYTHONIOENCODING="utf-8")
    assert "Stop with Ctrl+C." in process.said()
    assert "▀" not in process.said()


def test_the_banner_says_what_keeps_a_phone_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Only this machine gets in" in banner("127.0.0.1", 80)
    monkeypatch.setattr(serve, "lan_addresses", lambda: ["192.168.0.7"])
    text = banner("0.0.0.0", 80)
    assert "If a phone finds nothing:" in text
    assert ADVICE in text


def test_port_0_is_any_free_port() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0


def test_both_families_are_served_at_once_where_there_are_both() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    with listen("::", 0) as listener:
        port = listener.getsockname()[1]
        for address in ("127.0.0.1", "::1"):
            with contextlib.closing(socket.create_connection((address, port), timeout=5)):
                pass


def test_the_last_port_has_no_next() -> None:
    with pytest.raises(CommandError, match=r"--port 8000$"):
        listen("192.0.2.250", 65_535)


@pytest.mark.parametrize("text", ["-1", "65536", "1.5", ""])
def test_a_port_is_a_number_in_range(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        port_number(text)
    assert port_number("65535") == 65_535
