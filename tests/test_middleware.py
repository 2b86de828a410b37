"""What the pages may load, static files, and the words for a missing database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, AsyncRequestFactory, RequestFactory, override_settings
from servestatic.responders import MissingFileError

from realtime.testing import ServerAddress
from realtime.web.middleware import ContentSecurityPolicy, MissingDatabase, StaticFiles

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "page", ["/", "/echo/", "/healthz", "/nothing", "/ws/echo/", "/static/realtime/echo.js"]
)
async def test_every_answer_has_a_policy_without_inline_or_foreign_code(
    visitor: httpx.AsyncClient, page: str
) -> None:
    policy = (await visitor.get(page)).headers["content-security-policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == "'self'"
    assert "unsafe" not in policy
    assert "http" not in policy


async def test_the_policy_lets_a_page_open_websockets_to_this_server_only(
    shared_server: ServerAddress, visitor: httpx.AsyncClient
) -> None:
    policy = (await visitor.get("/")).headers["content-security-policy"]
    host = f"127.0.0.1:{shared_server.port}"
    assert f"connect-src 'self' ws://{host} wss://{host};" in policy


async def test_no_page_can_be_framed_or_sniffed(visitor: httpx.AsyncClient) -> None:
    headers = (await visitor.get("/")).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"


async def test_a_view_that_set_its_own_policy_keeps_it(rf: RequestFactory) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Content-Security-Policy": "sandbox"})

    response = await ContentSecurityPolicy(view)(rf.get("/"))
    assert response["Content-Security-Policy"] == "sandbox"


async def test_djangos_debug_pages_keep_their_style(settings: Any) -> None:
    settings.DEBUG = True
    client = AsyncClient(headers={"host": "localhost"})
    assert "Content-Security-Policy" not in (await client.get("/nothing")).headers
    assert "Content-Security-Policy" in (await client.get("/")).headers


async def test_a_static_file_that_is_missing_is_a_404_with_debug_too(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    client = AsyncClient(headers={"host": "localhost"})
    assert (await client.get("/static/nothing.css")).status_code == 404
    assert issubclass(MissingFileError, Exception)
    assert StaticFiles.async_capable


async def test_a_missing_database_is_a_503_with_the_command(logged: list[str]) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    answer = MissingDatabase(view).process_exception(
        HttpRequest(), OperationalError("no such table")
    )
    assert answer is not None
    assert answer.status_code == 503
    assert "python app.py migrate" in answer.content.decode()
    assert logged == ["'' needs the database: no such table"]


async def test_another_error_of_a_view_is_not_taken_for_it(logged: list[str]) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    assert MissingDatabase(view).process_exception(HttpRequest(), ValueError()) is None
    assert logged == []


async def test_a_file_that_is_edited_while_the_server_runs_comes_as_it_is_now(
    tmp_path: Path,
) -> None:
    async def not_found(request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=404)

    page = tmp_path / "edited.css"
    page.touch()
    with override_settings(STATICFILES_DIRS=[tmp_path]):
        static = StaticFiles(not_found)
        for text in ("p { color: red }", "p { color: blue; margin: 0 }", "p {}"):
            page.write_text(text)
            answer = await static(AsyncRequestFactory().get("/static/edited.css"))
            assert isinstance(answer, StreamingHttpResponse)
            body = b"".join([part async for part in answer])
            assert (answer.status_code, body.decode()) == (200, text)
            assert answer["Content-Length"] == str(len(text))
