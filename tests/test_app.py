"""The whole server as a user meets it, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from app import command_line
from tests.processes import ROOT, Process, run, running
from tests.raw import request, talk

UVICORN = ["-m", "uvicorn", "app:application", "--port", "{port}"]
LIMIT = 65_536
PATHS = ["/ws/echo/", "/ws/echo", "/ws/real-time/", "/ws/real-time"]


@pytest.fixture(
    scope="module", params=[UVICORN, ["app.py", "--port", "{port}"]], ids=["uvicorn", "app.py"]
)
def process(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    with running(*request.param, folder=tmp_path_factory.mktemp("server")) as process:
        yield process
    assert "Traceback" not in process.said()
    assert "Error" not in process.said()
    assert "unsupported" not in process.said()  # lifespan, or the WebSocket library
    assert "Warning" not in process.said()


@pytest.fixture(params=PATHS)
async def echo(request: pytest.FixtureRequest, process: Process) -> AsyncIterator[ClientConnection]:
    async with connect(process.ws(request.param), max_size=None) as socket:
        yield socket


MESSAGES = {
    "text": "hello",
    "characters": "grüße 👋 \u0000 \u2028 end",
    "bytes": bytes(range(256)),
    "empty text": "",
    "empty bytes": b"",
    "60 KiB of bytes": os.urandom(60 * 1024),
    "the limit in bytes": b"x" * LIMIT,
    "the limit in text": "x" * LIMIT,
    "the limit in characters of two bytes": "é" * (LIMIT // 2),
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_a_message_comes_back_as_it_was(echo: ClientConnection, message: str | bytes) -> None:
    await echo.send(message)
    back = await echo.recv()
    assert type(back) is type(message)
    assert back == message


@pytest.mark.parametrize(
    "parts", [["he", "", "llo"], [b"he", b"", b"llo"], ["ü"[:1], "ü"], [""] * 3]
)
async def test_a_message_in_parts_comes_back_whole(
    echo: ClientConnection, parts: list[str] | list[bytes]
) -> None:
    await echo.send(parts)
    assert await echo.recv() == type(parts[0])().join(parts)  # type: ignore[arg-type]


async def test_a_character_cut_in_two_comes_back_whole(echo: ClientConnection) -> None:
    protocol = echo.protocol
    protocol.send_text("ü".encode()[:1], fin=False)
    protocol.send_continuation("ü".encode()[1:], fin=True)
    echo.transport.write(b"".join(protocol.data_to_send()))
    assert await echo.recv() == "ü"


async def test_many_messages_come_back_in_order(echo: ClientConnection) -> None:
    for number in range(200):
        await echo.send(str(number))
    assert [await echo.recv() for _ in range(200)] == [str(number) for number in range(200)]


@pytest.mark.parametrize(
    "message",
    [b"x" * (LIMIT + 1), "x" * (LIMIT + 1), "é" * (LIMIT // 2) + "x", b"x" * (20 << 20)],
    ids=["bytes", "text", "characters", "20 MiB"],
)
async def test_one_above_the_limit_is_closed_with_1009(
    echo: ClientConnection, message: str | bytes
) -> None:
    await echo.send(message)
    with pytest.raises(ConnectionClosedError) as closed:
        await echo.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009


async def test_parts_that_add_up_to_more_than_the_limit_are_closed_with_1009(
    echo: ClientConnection,
) -> None:
    await echo.send([b"x" * 40_000, b"x" * 40_000])
    with pytest.raises(ConnectionClosedError) as closed:
        await echo.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009


async def test_a_ping_is_answered(echo: ClientConnection) -> None:
    assert await (await echo.ping()) < 5


async def test_an_unknown_websocket_path_is_closed_with_4404_and_named_in_the_log(
    process: Process,
) -> None:
    async with connect(process.ws("/ws/nothing/")) as socket:
        with pytest.raises(ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4404
    assert "the server's log names those there are" in closed.value.rcvd.reason
    assert "No WebSocket at '/ws/nothing/'. There are: /ws/echo/, /ws/real-time/" in process.said()


@pytest.mark.parametrize("path", PATHS)
def test_a_plain_get_on_a_websocket_path_gets_426_with_a_sentence(
    process: Process, path: str
) -> None:
    answer = httpx.get(process.http(path))
    assert answer.status_code == 426
    assert answer.text.startswith("This path speaks WebSocket")


def test_the_pages_and_their_files_are_served(process: Process) -> None:
    for path in ("/", "/echo/", "/accounts/login/", "/healthz", "/static/admin/css/base.css"):
        assert httpx.get(process.http(path)).status_code == 200


def test_the_start_makes_no_database(process: Process) -> None:
    httpx.get(process.http("/"))
    assert not (process.log.parent / "db.sqlite3").exists()


async def test_a_cookie_line_of_many_projects_does_not_keep_a_websocket_out(
    process: Process,
) -> None:
    headers = {"Cookie": "; ".join(f"project{n}={'x' * 2000}" for n in range(15))}
    async with connect(process.ws("/ws/echo/"), additional_headers=headers) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"


def test_debug_mode_serves_the_pages_and_a_404(start: Callable[..., Process]) -> None:
    process = start(*UVICORN, DEBUG="true")
    expected = {"/": 200, "/echo/": 200, "/static/realtime/realtime.css": 200, "/admin/login/": 200}
    expected |= {"/nothing": 404, "/static/nothing.css": 404, "/static/": 404, "/ws/echo/": 426}
    found = {path: httpx.get(process.http(path)).status_code for path in expected}
    assert found == expected
    assert talk(process.port, request(b"/%ff")).status == 404
    assert "Traceback" not in process.said()


def test_a_unix_socket_serves_as_well(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    command = [*UVICORN[:3], "--uds", str(path)]
    with running(*command, folder=tmp_path, says="Uvicorn running") as process:
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:
            assert client.get("/").status_code == 200
    assert "Traceback" not in process.said()


# --- --reload, in a copy of the project ----------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "realtime", folder / "realtime", ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("app.py", "settings.py"):
        shutil.copy(ROOT / name, folder)
    return folder


async def test_reload_takes_up_a_change_and_clients_come_back(
    project: Path, tmp_path: Path
) -> None:
    command = [*UVICORN, "--reload", "--reload-delay", "0.1"]
    with running(
        *command, folder=tmp_path, cwd=project, env={"PYTHONPATH": str(project)}
    ) as process:
        async with connect(process.ws("/ws/echo/")) as socket:
            source = project / "realtime/web/health.py"
            source.write_text(source.read_text().replace('"ok"', '"changed"'))
            with pytest.raises(ConnectionClosedError) as closed:
                await asyncio.wait_for(socket.recv(), 10)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 1012
        assert await until_healthz_says("changed", process)
        async with connect(process.ws("/ws/echo/")) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
    assert "Traceback" not in process.said()


async def until_healthz_says(word: str, process: Process) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            answer = await asyncio.to_thread(httpx.get, process.http("/healthz"), timeout=2)
        except httpx.TransportError:
            await asyncio.sleep(0.05)  # another process starts: there is no event to wait for
            continue
        if word in answer.text:
            return True
    return False


# --- `python app.py COMMAND` ---------------------------------------------------------------------


def test_check_finds_nothing() -> None:
    result = run("app.py", "check")
    assert (result.returncode, result.stderr) == (0, "")
    assert "no issues" in result.stdout


def test_no_migration_is_missing(tmp_path: Path) -> None:
    changes = {"REALTIME_DATABASE": str(tmp_path / "db.sqlite3")}
    assert run("app.py", "makemigrations", "--check", "--dry-run", env=changes).returncode == 0


def test_migrate_makes_the_database_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    changes = {"REALTIME_DATABASE": str(tmp_path / "db.sqlite3")}
    assert run("app.py", "migrate", env=changes).returncode == 0
    again = run("app.py", "migrate", env=changes)
    assert "No migrations to apply" in again.stdout


def test_createsuperuser_needs_no_prompt(tmp_path: Path) -> None:
    changes = {"REALTIME_DATABASE": str(tmp_path / "db.sqlite3")}
    run("app.py", "migrate", env=changes)
    changes |= {"DJANGO_SUPERUSER_PASSWORD": "correct horse"}
    command = ["createsuperuser", "--noinput", "--username", "ada", "--email", ""]
    result = run("app.py", *command, env=changes)
    assert result.returncode == 0, result.stderr


def test_shell_has_the_settings() -> None:
    code = "from django.conf import settings; print(settings.ASGI_APPLICATION)"
    assert run("app.py", "shell", "-c", code).stdout.strip().endswith("app.application")


def test_help_lists_serve() -> None:
    assert "serve" in run("app.py", "help").stdout


def test_an_unknown_command_is_a_sentence() -> None:
    result = run("app.py", "srve")
    assert result.returncode == 1
    assert "Did you mean serve?" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", "serve"),
        ("--port 9000", "serve --port 9000"),
        ("--host=::", "serve --host=::"),
        ("serve --port 1", "serve --port 1"),
        ("check --deploy", "check --deploy"),
        ("--help", "--help"),
        ("-h", "-h"),
        ("--version", "--version"),
    ],
)
def test_without_a_command_it_serves(typed: str, meant: str) -> None:
    assert command_line(typed.split()) == meant.split()
