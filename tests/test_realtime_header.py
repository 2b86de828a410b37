"""The header: the same links on every page, whoever made the page."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path
from django.views.generic import TemplateView

from examples.urls import urlpatterns as examples
from tests import test_realtime_header as this

PASSWORD = "correct horse"
EVERYWHERE = ["Start", "Rooms", "Echo", "Examples"]
PAGES = [
    "/",
    "/rooms/kitchen/",
    "/rooms/another/",
    "/echo/",
    "/operator/",
    "/accounts/login/",
    "/nothing/",
    *(f"/examples/{each.pattern}" for each in examples),
]


async def asynchronous(request: HttpRequest) -> HttpResponse:
    return render(request, "realtime/base.html", {"title": "A page of one's own"})


# What a project has that took the package and none of its pages.
urlpatterns = [
    path("own/", TemplateView.as_view(template_name="realtime/base.html")),
    path("async/", asynchronous),
]


def links(html: str) -> list[str]:
    header = html.partition("<header")[2].partition("</header>")[0]
    return re.findall(r"<(?:a|button)[^>]*>([^<]+)</", header.partition("<nav")[2])


def current(html: str) -> list[tuple[str, str]]:
    return re.findall(r'aria-current="(\w+)">([\w ]+)</a>', html)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_the_same_links_in_the_same_order(page: str) -> None:
    here = Client().get(page).content.decode()
    assert links(here) == [*EVERYWHERE, "Operator", "Log in"]
    stranger = Client(REMOTE_ADDR="192.168.0.7").get(page).content.decode()
    assert links(stranger) == [*EVERYWHERE, "Log in"]


@pytest.mark.parametrize(
    ("page", "marked"),
    [
        ("/", [("page", "Start")]),
        ("/rooms/kitchen/", [("page", "Rooms")]),
        ("/rooms/another/", [("true", "Rooms")]),
        ("/examples/", [("page", "Examples")]),
        ("/examples/poll/", [("true", "Examples")]),
        ("/accounts/login/", [("page", "Log in")]),
        ("/nothing/", []),
    ],
)
def test_the_page_that_is_shown_is_marked(page: str, marked: list[tuple[str, str]]) -> None:
    assert current(Client().get(page).content.decode()) == marked


async def test_an_async_view_gets_the_same() -> None:
    answer = await AsyncClient().get("/echo/")
    assert links(answer.content.decode()) == [*EVERYWHERE, "Operator", "Log in"]


@pytest.mark.parametrize("page", ["/examples/poll/", "/", "/nothing/"])
def test_a_visitor_without_a_session_costs_no_query(
    page: str, db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        Client().get(page)


@pytest.mark.parametrize("page", ["/examples/poll/", "/echo/"])
@pytest.mark.django_db(transaction=True)
def test_who_is_logged_in_sees_their_name_and_staff_the_operators_page(page: str) -> None:
    for name, is_staff in (("ada", True), ("bob", False)):
        User.objects.create_user(name, password=PASSWORD, is_staff=is_staff)
        client = Client(REMOTE_ADDR="192.168.0.7")
        assert client.login(username=name, password=PASSWORD)
        html = client.get(page).content.decode()
        assert links(html) == [*EVERYWHERE, *["Operator"][: int(is_staff)], "Log out"]
        assert f'<span class="who">{name}</span>' in html


# --- In a project of one's own --------------------------------------------------------------------


def test_a_page_that_the_project_does_not_have_is_not_linked(settings: Any) -> None:
    settings.ROOT_URLCONF = this.__name__
    answer = Client().get("/own/")
    assert answer.status_code == 200
    assert links(answer.content.decode()) == []
    assert "Real-time Django" in answer.content.decode()


def test_no_context_processor_is_needed(settings: Any) -> None:
    [engine] = settings.TEMPLATES
    loaders = engine["OPTIONS"]["loaders"]
    settings.TEMPLATES = [engine | {"OPTIONS": {"loaders": loaders}}]
    assert links(render_to_string("realtime/base.html")) == EVERYWHERE
    request = RequestFactory().get("/somewhere/")
    html = render_to_string("realtime/base.html", {"request": request, "user": AnonymousUser()})
    assert links(html) == [*EVERYWHERE, "Operator", "Log in"]


@pytest.mark.django_db(transaction=True)
def test_an_async_view_that_gives_no_user_still_has_its_page(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DJANGO_ALLOW_ASYNC_UNSAFE", raising=False)
    User.objects.create_user("ada", password=PASSWORD)
    client = Client()
    assert client.login(username="ada", password=PASSWORD)
    settings.ROOT_URLCONF = this.__name__
    visitor = AsyncClient()
    visitor.cookies = client.cookies
    answer = asyncio.run(visitor.get("/async/"))
    assert (answer.status_code, links(answer.content.decode())) == (200, [])
