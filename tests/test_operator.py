"""Who gets in to the operator's page, and how: by the token, as staff, or on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from realtime.web.access import COOKIE
from tests.browsers import COMMAND
from tests.processes import Process, run, running
from tests.test_accounts import token as csrf_of

PASSWORD = "correct horse"
TOKEN = "a long secret"
LINK = 'href="/operator/"'


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(*COMMAND, folder=tmp_path_factory.mktemp("server")) as process:
        yield process


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server with a token, and with the accounts ada, who is staff, and bob, who is not."""
    folder = tmp_path_factory.mktemp("guarded")
    env = {"REALTIME_DATABASE": str(folder / "db.sqlite3"), "REALTIME_API_TOKEN": TOKEN}
    make = (
        "from django.contrib.auth.models import User as U; "
        f"U.objects.create_user('ada', password='{PASSWORD}', is_staff=True); "
        f"U.objects.create_user('bob', password='{PASSWORD}')"
    )
    for command in (["migrate"], ["shell", "-c", make]):
        result = run("app.py", *command, env=env)
        assert result.returncode == 0, result.stderr
    with running(*COMMAND, folder=folder, env=env) as process:
        yield process
    assert "Traceback" not in process.said()


@pytest.fixture
def visitor(guarded: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.http(""), follow_redirects=True) as client:
        yield client


def log_in(visitor: httpx.Client, name: str) -> None:
    page = visitor.get("/accounts/login/")
    form = {"csrfmiddlewaretoken": csrf_of(page), "username": name, "password": PASSWORD}
    assert name in visitor.post("/accounts/login/", data=form).text


def show_token(visitor: httpx.Client, token: str = TOKEN) -> httpx.Response:
    page = visitor.get("/operator/")
    return visitor.post("/operator/", data={"csrfmiddlewaretoken": csrf_of(page), "token": token})


def test_a_stranger_finds_a_form_and_no_link(visitor: httpx.Client) -> None:
    page = visitor.get("/operator/")
    assert page.status_code == 401
    assert "REALTIME_API_TOKEN" in page.text
    assert "log in" in page.text
    assert LINK not in visitor.get("/").text
    assert visitor.get("/api/status/").status_code == 401


def test_the_token_opens_the_page_for_the_browsers_session(visitor: httpx.Client) -> None:
    page = show_token(visitor)
    assert (page.status_code, page.url.path) == (200, "/operator/")
    assert "operator.js" in page.text
    [cookie] = [c for c in page.history[0].headers.get_list("set-cookie") if COOKIE in c]
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert "expires" not in cookie.lower()
    assert "Max-Age" not in cookie
    assert LINK in visitor.get("/").text
    assert visitor.get("/api/status/").status_code == 200


def test_a_wrong_token_is_said_and_opens_nothing(visitor: httpx.Client) -> None:
    for wrong in ("wrong", "", "é"):
        page = show_token(visitor, wrong)
        assert page.status_code == 403
        assert "This is not the token" in page.text
        assert COOKIE not in visitor.cookies


def test_a_form_from_elsewhere_opens_nothing(visitor: httpx.Client) -> None:
    page = visitor.post("/operator/", data={"token": TOKEN})
    assert page.status_code == 403
    assert COOKIE not in visitor.cookies


def test_the_token_can_be_forgotten_again(visitor: httpx.Client) -> None:
    page = show_token(visitor)
    form = {"csrfmiddlewaretoken": csrf_of(page), "forget": ""}
    assert visitor.post("/operator/", data=form).status_code == 401
    assert COOKIE not in visitor.cookies


def test_staff_needs_no_token_and_acts_only_with_the_pages_csrf_token(
    visitor: httpx.Client,
) -> None:
    log_in(visitor, "ada")
    page = visitor.get("/operator/")
    assert page.status_code == 200
    assert LINK in visitor.get("/").text
    publish = "/api/rooms/kitchen/messages/"
    assert visitor.get("/api/status/").status_code == 200
    assert visitor.post(publish, json={"data": 1}).status_code == 403
    assert visitor.post(publish, data={"data": "1"}).status_code == 415
    headers = {"X-CSRFToken": csrf_of(page)}
    assert visitor.post(publish, json={"data": 1}, headers=headers).status_code == 201
    foreign = headers | {"Origin": "http://evil.com"}
    assert visitor.post(publish, json={"data": 1}, headers=foreign).status_code == 403


def test_who_is_logged_in_and_not_staff_is_told_so(visitor: httpx.Client) -> None:
    log_in(visitor, "bob")
    page = visitor.get("/operator/")
    assert page.status_code == 403
    assert "bob, who is not staff" in page.text
    assert LINK not in visitor.get("/").text
    assert visitor.get("/api/status/").status_code == 403


def test_without_a_token_the_page_opens_on_this_machine_only(process: Process) -> None:
    assert httpx.get(process.http("/operator/")).status_code == 200
    assert LINK in httpx.get(process.http("/")).text
    page = httpx.get(process.http("/operator/"), headers={"X-Forwarded-For": "192.168.0.7"})
    assert page.status_code == 403
    assert "REALTIME_API_TOKEN=" in page.text
    assert httpx.put(process.http("/operator/")).status_code in (403, 405)
