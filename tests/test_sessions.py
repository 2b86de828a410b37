"""A session cookie that leads nowhere makes an anonymous visitor, and one line in the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from realtime.web.sessions import SessionStore
from tests.processes import Process, run, running

COOKIE = "realtime_session"
LINE = "A session cookie was ignored"

STALE = {
    "of a deleted session": "a" * 32,
    "of another project": "eyJfYXV0aF91c2VyX2lkIjoiMSJ9:1tGaaa:Zm9yZWlnbg-signature",
    "of other characters": "æøå-%22-\\\\-/..",
    "too short to be one": "abc",
}


@pytest.fixture(scope="module", params=["no table", "tables"])
def process(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "tables":
        database = str(folder / "db.sqlite3")
        assert run("app.py", "migrate", env={"REALTIME_DATABASE": database}).returncode == 0
    command = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    with running(*command, folder=folder) as process:
        yield process


@pytest.mark.parametrize("page", ["/", "/accounts/login/"])
@pytest.mark.parametrize("value", STALE.values(), ids=STALE)
def test_a_page_comes_with_a_cookie_that_leads_nowhere(
    process: Process, value: str, page: str
) -> None:
    before = len(process.said())
    headers = {b"cookie": f"{COOKIE}={value}".encode("latin-1")}
    answer = httpx.get(process.http(page), headers=headers)
    assert answer.status_code == 200
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]  # the browser drops it
    assert_one_line(process, before, value)


@pytest.mark.parametrize("value", STALE.values(), ids=STALE)
async def test_a_websocket_connects_with_a_cookie_that_leads_nowhere(
    process: Process, value: str
) -> None:
    before = len(process.said())
    headers = {"Cookie": f"{COOKIE}={value}"}
    async with connect(process.ws("/ws/echo/"), additional_headers=headers) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
    assert_one_line(process, before, value)


def test_no_cookie_is_no_line(process: Process) -> None:
    before = len(process.said())
    assert httpx.get(process.http("/"), cookies={"sessionid": "a" * 32}).status_code == 200
    assert LINE not in process.said()[before:]


def assert_one_line(process: Process, before: int, value: str) -> None:
    said = process.said()[before:]
    # What is too short to be a session's key is none: Django does not look it up.
    assert said.count(LINE) == (1 if len(value) >= 8 else 0), said
    assert "Traceback" not in said
    assert "ERROR" not in said


@pytest.mark.django_db
async def test_a_session_of_ours_is_loaded_in_both_ways() -> None:
    store = SessionStore()
    await store.aset("name", "Ada")
    await store.asave()
    assert await SessionStore(store.session_key).aload() == {"name": "Ada"}


@pytest.mark.django_db
def test_a_session_of_ours_says_nothing(logged: list[str]) -> None:
    store = SessionStore()
    store["name"] = "Ada"
    store.save()
    assert SessionStore(store.session_key).load() == {"name": "Ada"}
    assert logged == []


@pytest.mark.django_db
def test_an_unknown_key_is_forgotten(logged: list[str]) -> None:
    store = SessionStore("a" * 32)
    assert store.load() == {}
    assert store.session_key is None
    assert logged == ["A session cookie was ignored (unknown or expired): its sender is anonymous."]


def test_a_file_that_is_no_database_makes_anonymous_visitors(tmp_path: Path) -> None:
    (tmp_path / "db.sqlite3").write_text("this is no database " * 100)
    command = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    with running(*command, folder=tmp_path) as process:
        answer = httpx.get(process.http("/"), cookies={COOKIE: "a" * 32})
        assert answer.status_code == 200
        assert_one_line(process, 0, "a" * 32)
