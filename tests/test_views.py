"""The pages, and the words for what is refused."""

from __future__ import annotations

import html
import logging
import re
from typing import Any, cast

import httpx
import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, RequestFactory
from django.urls import path

from app import application
from realtime.routing import readable_paths, websocket_urlpatterns
from realtime.testing import ServerAddress
from realtime.web import invitation, urls, views

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_start_page_names_what_runs_here(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for known in readable_paths(websocket_urlpatterns):
        assert known.replace("<", "&lt;").replace(">", "&gt;") in answer.text
    for link in ("/echo/", "/accounts/login/"):
        assert f'href="{link}"' in answer.text


async def test_the_start_page_shows_the_addresses_that_answer(
    shared_server: ServerAddress, visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation, "lan_addresses", lambda: ["127.0.0.1", "127.0.0.9"])
    text = (await visitor.get("/", headers={"Host": f"localhost:{shared_server.port}"})).text
    assert f"QR code of http://127.0.0.1:{shared_server.port}/" in text
    assert "127.0.0.9" not in text


async def test_the_command_on_the_start_page_publishes(visitor: httpx.AsyncClient) -> None:
    text = html.unescape((await visitor.get("/", headers={"Host": "kiosk.local"})).text)
    command = re.search(r"curl -d '(.+)' (\S+)</code>", text)
    assert command
    assert (await visitor.post(command[2], content=command[1])).status_code == 201


async def test_a_server_for_this_machine_only_says_how_to_let_phones_in(
    visitor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitation, "lan_addresses", lambda: ["127.0.0.9"])
    text = (await visitor.get("/")).text
    assert "python app.py" in text
    assert "QR code" not in text


async def test_on_a_unix_socket_there_is_no_port_and_the_page_comes_all_the_same() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "server": ("/run/server.sock", None)}
    browser = cast(Any, ApplicationCommunicator)(
        application, scope | {"headers": [(b"host", b"localhost")]}
    )
    await browser.send_input({"type": "http.request"})
    assert (await browser.receive_output())["status"] == 200
    await browser.receive_output()
    await browser.wait()


@pytest.mark.parametrize("page", ["/", "/echo/", "/healthz"])
async def test_a_page_is_never_cached(visitor: httpx.AsyncClient, page: str) -> None:
    assert "no-store" in (await visitor.get(page)).headers["cache-control"]


@pytest.mark.parametrize("page", ["/", "/echo/", "/healthz"])
async def test_a_page_can_be_asked_for_its_head_only(visitor: httpx.AsyncClient, page: str) -> None:
    answer = await visitor.head(page)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_healthz_answers_in_json(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("page", ["/ws/echo", "/ws/echo/", "/ws/real-time", "/ws/real-time/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_http_on_a_websocket_path_gets_426(
    visitor: httpx.AsyncClient, method: str, page: str
) -> None:
    answer = await visitor.request(method, page)
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    assert method == "HEAD" or answer.text.startswith("This path speaks WebSocket")


async def test_the_client_that_asks_whether_the_server_is_back_succeeds(
    visitor: httpx.AsyncClient,
) -> None:
    for page, status in {"/ws/echo/": 204, "/ws/rooms/кухня": 204, "/ws/nothing/": 404}.items():
        assert (await visitor.options(page)).status_code == status


async def test_http_on_a_path_of_no_websocket_gets_404_and_the_known(
    visitor: httpx.AsyncClient,
) -> None:
    answer = await visitor.get("/ws/nothing/")
    assert answer.status_code == 404
    assert "/ws/echo/" in answer.text


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("realtime/realtime.css", "text/css"),
        ("realtime/echo.js", "text/javascript"),
        ("realtime/icon.svg", "image/svg+xml"),
        ("admin/css/base.css", "text/css"),
    ],
)
async def test_a_static_file_comes_with_its_type_and_is_asked_for_again(
    visitor: httpx.AsyncClient, file: str, kind: str
) -> None:
    answer = await visitor.get(f"/static/{file}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == kind
    assert answer.headers["cache-control"] == "max-age=0, public"
    again = {"if-modified-since": answer.headers["last-modified"]}
    assert (await visitor.get(f"/static/{file}", headers=again)).status_code == 304


async def test_a_browser_finds_the_icon_of_a_page_that_names_none(
    visitor: httpx.AsyncClient,
) -> None:
    answer = await visitor.get("/favicon.ico", follow_redirects=True)
    assert answer.headers["content-type"] == "image/svg+xml"


async def test_an_unknown_page_is_a_404_in_words(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert "<script>" not in answer.text


async def test_a_form_from_elsewhere_is_refused_in_words(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/accounts/login/", data={"username": "ada"})
    assert answer.status_code == 403
    assert "This form came from elsewhere" in answer.text


async def test_each_refusal_of_a_view_has_its_page(rf: RequestFactory) -> None:
    request = rf.get("/")
    bad = views.bad_request(request, SuspiciousOperation("why"))
    forbidden = views.forbidden(request, PermissionDenied("why not"))
    assert (bad.status_code, forbidden.status_code) == (400, 403)
    assert b"why" in bad.content
    assert b"why not" in forbidden.content


async def test_a_bug_is_one_traceback_and_a_page_with_the_id_that_leads_to_it(
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[str],
) -> None:
    def broken(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    monkeypatch.setattr(urls, "urlpatterns", [*urls.urlpatterns, path("broken/", broken)])
    settings.ROOT_URLCONF = "realtime.web.urls"
    client = AsyncClient(raise_request_exception=False)
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)
    answer = await client.get("/broken/")
    assert answer.status_code == 500
    assert "It is not your fault" in answer.content.decode()
    [line] = logged
    assert line.split()[1] in answer.content.decode()
