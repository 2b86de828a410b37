"""Who somebody is: the same on every tab, and nobody else's to take."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.signing import Signer

from realtime.identity import DEVICE_COOKIE, member_id, new_device, user_member_id, user_name


def scope(user: Any = None, device: str | None = None, **more: Any) -> dict[str, Any]:
    cookies = {DEVICE_COOKIE: device} if device else {}
    return {"user": user or AnonymousUser(), "cookies": cookies, **more}


ADA = User(pk=1, username="ada")


def test_a_user_is_the_same_on_every_device() -> None:
    ids = {member_id(scope(ADA, new_device()), client) for client in (None, "a", "b")}
    assert ids == {user_member_id(ADA)}


def test_a_device_is_the_same_on_every_tab() -> None:
    device = new_device()
    assert member_id(scope(device=device), "a") == member_id(scope(device=device), "b")
    assert member_id(scope(device=device), None) != member_id(scope(device=new_device()), None)


def test_a_client_is_the_same_when_it_comes_back() -> None:
    assert member_id(scope(), "c-1") == member_id(scope(), "c-1") != member_id(scope(), "c-2")


def test_who_says_nothing_is_somebody_new() -> None:
    assert member_id(scope(), None) != member_id(scope(), None)


def test_a_public_id_is_no_way_to_be_somebody() -> None:
    for public in (member_id(scope(ADA), None), member_id(scope(), "c-1")):
        assert member_id(scope(), public) != public
        assert member_id(scope(device=public), None) != public
        assert member_id(scope(device=Signer().sign(public)), None) != public


def test_a_client_cannot_name_a_user_or_a_device() -> None:
    assert member_id(scope(), "1") != user_member_id(ADA)
    device = new_device()
    assert member_id(scope(), device) != member_id(scope(device=device), None)
    value = Signer(salt="realtime.identity").unsign(device)
    assert member_id(scope(), value) != member_id(scope(device=device), None)


@pytest.mark.parametrize("device", ["", "abc", "abc:def", "a" * 10_000, "\x00:\xff", "ü:ü"])
def test_a_cookie_that_we_did_not_sign_is_none(device: str) -> None:
    assert member_id(scope(device=device), "c-1") == member_id(scope(), "c-1")


def test_a_cookie_is_read_from_the_headers_too() -> None:
    device = new_device()
    header = f"a=b; {DEVICE_COOKIE}={device}".encode()
    bare = {"headers": [(b"host", b"x"), (b"cookie", header)]}
    assert member_id(bare, None) == member_id(scope(device=device), None)


def test_long_clients_that_begin_alike_are_two() -> None:
    assert member_id(scope(), "a" * 5000 + "1") != member_id(scope(), "a" * 5000 + "2")


@pytest.mark.parametrize("client", ["\udcff", "\x00", "🍕", "a" * 60_000])
def test_any_text_is_a_client(client: str) -> None:
    assert len(member_id(scope(), client)) == 16


def test_another_secret_makes_other_ids(settings: Any) -> None:
    before = member_id(scope(), "c-1")
    settings.SECRET_KEY = "another secret"
    assert member_id(scope(), "c-1") != before


def test_a_user_is_called_by_their_user_name() -> None:
    assert user_name(scope(ADA)) == "ada"
    assert user_name(scope()) is None
    assert user_name({}) is None


@pytest.mark.parametrize(
    ("username", "name"), [("a" * 150, "a" * 64), (" ada  l ", "ada l"), ("\u202e", None)]
)
def test_a_user_name_obeys_the_rules_of_names(username: str, name: str | None) -> None:
    assert user_name(scope(User(pk=1, username=username))) == name
