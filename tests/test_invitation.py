"""The addresses by which others open a page: no loopback, the numbers first."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from realtime.web import invitation
from realtime.web.invitation import MOST, invitations, may_change
from realtime.web.qr import svg

LAN = ["192.168.0.7", "10.0.0.9"]


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with two addresses, on which this server listens."""

    async def all_of_them(addresses: list[str], port: int) -> list[str]:
        return addresses

    monkeypatch.setattr(invitation, "lan_addresses", lambda: list(LAN))
    monkeypatch.setattr(invitation, "listening", all_of_them)


async def urls(host: str, path: str = "/", *, secure: bool = False) -> list[str]:
    request = RequestFactory().get("/", secure=secure, headers={"host": host}, SERVER_PORT="8000")
    return [each.url for each in await invitations(request, path)]


NUMBERS = ["http://192.168.0.7:8000/", "http://10.0.0.9:8000/"]


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
async def test_loopback_is_nobody_elses_address(host: str) -> None:
    assert await urls(host) == NUMBERS


async def test_a_page_that_was_opened_by_a_number_offers_that_first() -> None:
    assert await urls("10.0.0.9:8000") == NUMBERS[::-1]
    assert await urls("203.0.113.5:8000") == ["http://203.0.113.5:8000/", *NUMBERS]


async def test_a_local_name_comes_after_the_numbers() -> None:
    assert await urls("kiosk.local:8000") == [*NUMBERS, "http://kiosk.local:8000/"]


async def test_behind_a_public_name_no_address_is_told(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["chat.example"]
    assert await urls("chat.example", secure=True) == ["https://chat.example/"]


async def test_an_address_that_allowed_hosts_refuses_is_not_offered(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost", "10.0.0.9"]
    assert await urls("localhost:8000") == NUMBERS[1:]


async def test_a_machine_with_many_addresses_offers_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitation, "lan_addresses", lambda: [f"10.0.0.{n}" for n in range(9)])
    assert len(await urls("localhost:8000")) == MOST


async def test_the_code_is_that_of_the_whole_address() -> None:
    request = RequestFactory().get("/", headers={"host": "localhost:8000"}, SERVER_PORT="8000")
    first, _ = await invitations(request, "/rooms/%D0%9A%3F/")
    assert first.url == "http://192.168.0.7:8000/rooms/%D0%9A%3F/"
    assert first.qr == svg(first.url)
    assert (first.host, first.path) == ("192.168.0.7:8000", "/rooms/К?")


def test_only_a_page_of_this_machine_outlives_its_address() -> None:
    for host, is_so in {"localhost": True, "127.0.0.1": True, "10.0.0.9": False}.items():
        assert may_change(RequestFactory().get("/", headers={"host": host})) is is_so
