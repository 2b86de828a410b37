"""Who may use the HTTP API and the operator's page."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.test import RequestFactory

from realtime.web.access import (
    COOKIE,
    COOKIE_AGE,
    PROXY_HEADERS,
    give_cookie,
    is_token,
    refusal,
)

TOKEN = "correct horse battery staple"


def status(address: str = "127.0.0.1", **headers: str) -> int:
    """What a request from `address` is answered: 200 stands for "may"."""
    request = RequestFactory(headers=headers).get("/api/rooms/", REMOTE_ADDR=address)
    refused = async_to_sync(refusal)(request)
    return refused[0] if refused else 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1"])
def test_this_machine_may_without_a_token(address: str) -> None:
    assert status(address) == 200


@pytest.mark.parametrize("address", ["192.168.0.7", "10.0.0.1", "fe80::1", "", "unix", "8.8.8.8"])
def test_nobody_else_may_without_a_token(address: str) -> None:
    assert status(address) == 403


@pytest.mark.parametrize("header", PROXY_HEADERS)
def test_behind_a_proxy_nobody_is_this_machine(header: str) -> None:
    assert status("127.0.0.1", **{header: "127.0.0.1"}) == 403


def test_with_a_token_set_who_has_it_may_from_anywhere(settings: Any) -> None:
    settings.REALTIME_API_TOKEN = TOKEN
    assert status("192.168.0.7", Authorization=f"Bearer {TOKEN}") == 200
    assert status("192.168.0.7", Authorization=f"bearer  {TOKEN} ") == 200


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        "Bearer ÿ",
    ],
)
def test_with_a_token_set_nobody_may_without_it(settings: Any, sent: str) -> None:
    settings.REALTIME_API_TOKEN = TOKEN
    assert status("127.0.0.1", Authorization=sent) == 401


@pytest.mark.parametrize("origin", ["http://evil.com", "null", "http://testserver:81", "http://["])
def test_a_page_of_another_origin_may_not(settings: Any, origin: str) -> None:
    assert status("127.0.0.1", Origin=origin) == 403
    settings.REALTIME_API_TOKEN = TOKEN
    assert status("127.0.0.1", Origin=origin, Authorization=f"Bearer {TOKEN}") == 403


@pytest.mark.parametrize(
    ("site", "wanted"),
    [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)],
)
def test_what_a_foreign_page_asks_for_without_an_origin_is_marked(site: str, wanted: int) -> None:
    assert status(**{"Sec-Fetch-Site": site}) == wanted


def test_a_trusted_page_may_though_it_is_another_site(settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://example.com"]
    assert status(**{"Sec-Fetch-Site": "cross-site", "Origin": "https://example.com"}) == 200


def test_the_token_is_compared_in_constant_time(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(sent: bytes, token: bytes) -> bool:
        compared.append((sent, token))
        return False

    monkeypatch.setattr("secrets.compare_digest", compare)
    settings.REALTIME_API_TOKEN = TOKEN
    for sent in (TOKEN, "c", "x" * 100):
        assert status(Authorization=f"Bearer {sent}") == 401
    assert compared == [(sent.encode(), TOKEN.encode()) for sent in (TOKEN, "c", "x" * 100)]


def test_a_token_may_have_letters_of_any_language(settings: Any) -> None:
    settings.REALTIME_API_TOKEN = "schlüssel"
    as_it_comes = "schlüssel".encode().decode("latin-1")
    assert status("192.168.0.7", Authorization=f"Bearer {as_it_comes}") == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_an_image_or_a_frame_of_another_page_may_not_and_a_link_may(site: str) -> None:
    fetched = {"Sec-Fetch-Site": site}
    assert status("127.0.0.1", **fetched) == 403
    assert status("127.0.0.1", **fetched, **{"Sec-Fetch-Dest": "iframe"}) == 403
    assert status("127.0.0.1", **fetched, **{"Sec-Fetch-Dest": "document"}) == 200
    for own in ("same-origin", "none"):
        assert status("127.0.0.1", **{"Sec-Fetch-Site": own}) == 200


def test_a_page_of_this_server_or_a_trusted_one_may(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.com"]
    assert status(Origin="http://testserver") == 200
    assert status(Origin="https://screens.example.com") == 200


# --- By a cookie ----------------------------------------------------------------------------------

LAN = "192.168.0.7"
STAFF = {"is_authenticated": True, "is_active": True, "is_staff": True}


@pytest.fixture(autouse=True)
def _hosts(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]


def csrf() -> dict[str, str]:
    """The cookie and the header that one of our pages would send."""
    request = RequestFactory().get("/")
    token = get_token(request)
    return {"Cookie": f"realtime_csrf={request.META['CSRF_COOKIE']}", "X-CSRFToken": token}


def asking(method: str, user: dict[str, bool] | None = None, **headers: str) -> HttpRequest:
    """From the network, and by the user of a session."""
    kind = {} if method == "GET" else {"content_type": "application/json", "data": "{}"}
    if "type" in headers:
        kind["content_type"] = headers.pop("type")
    make: Any = getattr(RequestFactory(headers=headers), method.lower())
    request: HttpRequest = make("/api/screens/reload/", REMOTE_ADDR=LAN, **kind)

    async def auser() -> Any:
        nobody = {"is_authenticated": False, "is_active": False, "is_staff": False}
        return SimpleNamespace(**(user or nobody))

    request.auser = auser
    return request


async def answer(request: HttpRequest) -> tuple[int, str]:
    return await refusal(request) or (200, "")


async def test_from_the_network_without_a_token_nobody_may_and_is_told_who_may() -> None:
    status, words = await answer(asking("GET"))
    assert status == 403
    assert "only this machine may" in words
    assert "logged in as staff" in words


async def test_staff_may_look_from_anywhere(settings: Any) -> None:
    assert await answer(asking("GET", STAFF)) == (200, "")
    settings.REALTIME_API_TOKEN = TOKEN
    assert await answer(asking("GET", STAFF)) == (200, "")


@pytest.mark.parametrize("without", ["is_staff", "is_active"])
async def test_an_account_that_is_not_staff_may_not_and_is_told_so(without: str) -> None:
    status, words = await answer(asking("GET", STAFF | {without: False}))
    assert (status, "not as staff" in words) == (403, True)


async def test_staff_may_act_with_the_csrf_token() -> None:
    assert await answer(asking("POST", STAFF, **csrf())) == (200, "")
    origin = {"Origin": "http://testserver"}
    assert await answer(asking("POST", STAFF, **csrf(), **origin)) == (200, "")


async def test_staff_may_not_act_without_it() -> None:
    without, wrong = {"Cookie": csrf()["Cookie"]}, csrf() | {"X-CSRFToken": "x" * 64}
    headers: dict[str, str]
    for headers in ({}, without, wrong):
        status, words = await answer(asking("POST", STAFF, **headers))
        assert (status, "X-CSRFToken" in words) == (403, True)


@pytest.mark.parametrize("origin", ["http://evil.com", "null", "http://testserver:3000"])
async def test_a_foreign_page_may_do_nothing_with_the_cookies_of_staff(origin: str) -> None:
    for method in ("GET", "POST"):
        status, words = await answer(asking(method, STAFF, Origin=origin, **csrf()))
        assert (status, "another origin" in words) == (403, True)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_a_form_may_do_nothing_with_the_cookies_of_staff(kind: str) -> None:
    assert (await answer(asking("POST", STAFF, type=kind, **csrf())))[0] == 415


def given(**options: Any) -> Any:
    """The cookie for who has shown the token."""
    response = HttpResponse()
    give_cookie(RequestFactory().get("/", **options), response)
    return response.cookies[COOKIE]


async def test_who_has_shown_the_token_has_a_cookie_that_no_script_and_no_site_gets(
    settings: Any,
) -> None:
    settings.REALTIME_API_TOKEN = TOKEN
    cookie = given()
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Strict", "")
    assert TOKEN not in cookie.value
    assert given(secure=True)["secure"]
    assert await answer(asking("GET", Cookie=f"{COOKIE}={cookie.value}")) == (200, "")


async def test_that_cookie_alone_changes_nothing(settings: Any) -> None:
    settings.REALTIME_API_TOKEN = TOKEN
    cookie, safe = f"{COOKIE}={given().value}", csrf()
    assert (await answer(asking("POST", Cookie=cookie)))[0] == 403
    both = {"Cookie": f"{cookie}; {safe['Cookie']}", "X-CSRFToken": safe["X-CSRFToken"]}
    assert await answer(asking("POST", None, **both)) == (200, "")


async def test_that_cookie_ends_with_the_token_and_with_time(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REALTIME_API_TOKEN = TOKEN
    request = asking("GET", Cookie=f"{COOKIE}={given().value}")
    for other in ("another", ""):
        settings.REALTIME_API_TOKEN = other
        assert (await answer(request))[0] != 200
    settings.REALTIME_API_TOKEN = TOKEN
    for later, status in ((COOKIE_AGE - 60, 200), (COOKIE_AGE + 60, 401)):
        now = time.time() + later
        monkeypatch.setattr("django.core.signing.time.time", lambda now=now: now)
        assert (await answer(request))[0] == status
        monkeypatch.undo()


@pytest.mark.parametrize("forged", ["", "x", "x:y:z", ":", "é"])
async def test_a_forged_cookie_is_none(settings: Any, forged: str) -> None:
    settings.REALTIME_API_TOKEN = TOKEN
    assert (await answer(asking("GET", Cookie=f"{COOKIE}={forged}")))[0] == 401


def test_without_a_token_set_nothing_is_the_token(settings: Any) -> None:
    settings.REALTIME_API_TOKEN = ""
    assert not is_token("")
    settings.REALTIME_API_TOKEN = TOKEN
    assert is_token(f" {TOKEN}\n")
