"""Accounts, when somebody wants them: log in by form, be known to a consumer, log out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.processes import Process, run, running

UVICORN = ["-m", "uvicorn", "--port", "{port}"]
PASSWORD = "correct horse"
SESSION = "realtime_session"

# A project of one consumer, which says who is there.
WHO = """
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter
from django.urls import path

from app import http
from realtime.consumers import AsyncWebsocketConsumer
from realtime.hosts import HostGuard
from realtime.lifespan import Lifespan
from realtime.routing import websocket_router


class Who(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        user = self.scope["user"]
        await self.send(text_data=user.get_username() if user.is_authenticated else "nobody")


application = ProtocolTypeRouter({
    "http": HostGuard(http),
    "websocket": HostGuard(AuthMiddlewareStack(websocket_router([path("ws/who/", Who.as_asgi())]))),
    "lifespan": Lifespan(),
})
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server with one account, made by the two commands of the README."""
    folder = tmp_path_factory.mktemp("accounts")
    (folder / "who.py").write_text(WHO)
    changes = {
        "REALTIME_DATABASE": str(folder / "db.sqlite3"),
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "DJANGO_SUPERUSER_USERNAME": "ada",
        "DJANGO_SUPERUSER_EMAIL": "",
    }
    for command in (["migrate"], ["createsuperuser", "--noinput"]):
        result = run("app.py", *command, env=changes)
        assert result.returncode == 0, result.stderr
    command = [*UVICORN, "who:application"]
    with running(*command, folder=folder, env={"PYTHONPATH": str(folder)}) as process:
        yield process
    assert "Traceback" not in process.said()


@pytest.fixture
def browser(process: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=process.http(""), follow_redirects=True) as client:
        yield client


def log_in(browser: httpx.Client, password: str = PASSWORD, **fields: str) -> httpx.Response:
    page = browser.get("/accounts/login/", params=fields)
    form = {"csrfmiddlewaretoken": token(page), "username": "ada", "password": password}
    return browser.post("/accounts/login/", data=form | fields)


def token(page: httpx.Response) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert found
    return found[1]


def who(process: Process, browser: httpx.Client) -> str | bytes:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with connect(process.ws("/ws/who/"), additional_headers={"Cookie": cookies}) as socket:
        return socket.recv(timeout=10)


def test_who_logs_in_is_known_to_the_page_and_to_a_consumer(
    process: Process, browser: httpx.Client
) -> None:
    assert who(process, browser) == "nobody"
    page = log_in(browser)
    assert (page.status_code, page.url.path) == (200, "/")
    assert '<span class="who">ada</span>' in page.text
    assert who(process, browser) == "ada"


def test_who_logs_out_is_nobody_again(process: Process, browser: httpx.Client) -> None:
    page = log_in(browser)
    stolen = browser.cookies[SESSION]
    page = browser.post("/accounts/logout/", data={"csrfmiddlewaretoken": token(page)})
    assert "Log in" in page.text
    assert who(process, browser) == "nobody"
    browser.cookies.set(SESSION, stolen)
    assert who(process, browser) == "nobody"


def test_a_wrong_password_is_said_on_the_page(browser: httpx.Client) -> None:
    page = log_in(browser, "wrong")
    assert page.status_code == 200
    assert "Please enter a correct username and password" in page.text
    assert SESSION not in browser.cookies


def test_after_the_log_in_comes_the_page_that_was_asked_for(browser: httpx.Client) -> None:
    assert log_in(browser, next="/echo/").url.path == "/echo/"


def test_after_the_log_in_comes_no_foreign_page(browser: httpx.Client) -> None:
    assert log_in(browser, next="//evil.example/").url.path == "/"


def test_a_log_in_without_its_token_is_refused(browser: httpx.Client) -> None:
    page = browser.post("/accounts/login/", data={"username": "ada", "password": PASSWORD})
    assert page.status_code == 403
    assert "This form came from elsewhere" in page.text


def test_the_admin_pages_open_and_have_their_style(browser: httpx.Client) -> None:
    log_in(browser)
    page = browser.get("/admin/auth/user/")
    assert page.status_code == 200
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    scripts = re.findall(r'<script src="([^"]+)"', page.text)
    assert styles
    assert scripts
    for file in styles + scripts:
        assert browser.get(file).status_code == 200, file


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(browser: httpx.Client) -> None:
    page = log_in(browser)
    cookies = page.history[0].headers.get_list("set-cookie")
    [session] = [cookie for cookie in cookies if cookie.startswith(SESSION)]
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session


@pytest.mark.parametrize("path", ["/accounts/login/", "/admin/login/"])
def test_without_a_database_a_log_in_gets_the_command_and_no_500(tmp_path: Path, path: str) -> None:
    with (
        running(*UVICORN, "app:application", folder=tmp_path) as process,
        httpx.Client(base_url=process.http("")) as browser,
    ):
        page = browser.get(path)
        assert page.status_code == 200
        form = {"csrfmiddlewaretoken": token(page), "username": "ada", "password": PASSWORD}
        page = browser.post(path, data=form)
    assert page.status_code == 503
    assert "python app.py migrate" in page.text
    assert "python app.py createsuperuser" in page.text
    assert process.said().count("needs the database") == 1
    assert "Traceback" not in process.said()
