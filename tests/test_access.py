"""Who may use the HTTP API."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from realtime.web.access import PROXY_HEADERS, refusal

TOKEN = "correct horse battery staple"


def status(address: str = "127.0.0.1", **headers: str) -> int:
    """What a request from `address` is answered: 200 stands for "may"."""
    request = RequestFactory(headers=headers).get("/api/rooms/", REMOTE_ADDR=address)
    refused = refusal(request)
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


def test_a_page_of_this_server_or_a_trusted_one_may(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.com"]
    assert status(Origin="http://testserver") == 200
    assert status(Origin="https://screens.example.com") == 200
