"""The header of every page: `{% load realtime_header %}{% realtime_header %}`.

`realtime/base.html` has it; a page on a base of its own may take it from here. It needs nothing of
the view or the settings, and names no page that the project does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django import template
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DatabaseError
from django.http import HttpRequest
from django.template import Context
from django.urls import NoReverseMatch, reverse

from realtime.web.access import may_operate

# In this order on every page: the text, the route, and what the route wants.
PAGES = [
    ("Start", "home", []),
    ("Rooms", "room", ["kitchen"]),
    ("Echo", "echo", []),
    ("Examples", "examples", []),
    ("Operator", "operator", []),
]

register = template.Library()


class Link(NamedTuple):
    """`current` is for aria-current: the page that is shown, or one among those behind it."""

    text: str
    url: str
    current: str


@register.inclusion_tag("realtime/header.html", takes_context=True)
def realtime_header(context: Context) -> dict[str, Any]:
    request: HttpRequest | None = context.get("request")
    user = _user(context, request)
    is_operator = request is not None and may_operate(request, user)
    links = [each for each in _links(request) if each.text != "Operator" or is_operator]
    return {
        "links": links,
        "home": address("home"),
        "login": address("login"),
        "logout": address("logout"),
        "path": request.path if request else "",
        "user": user,
        "csrf_token": context.get("csrf_token"),
    }


def address(route: str, *arguments: str) -> str:
    """Where a page is; empty in a project that has it not."""
    try:
        return reverse(route, args=arguments)
    except NoReverseMatch:
        return ""


def _links(request: HttpRequest | None) -> Iterator[Link]:
    for text, route, arguments in PAGES:
        if url := address(route, *arguments):
            yield Link(text, url, _current(request, route, url))


def _current(request: HttpRequest | None, route: str, url: str) -> str:
    if request is None:
        return ""
    if request.path == url:
        return "page"
    match = request.resolver_match
    is_one = match is not None and match.url_name == route  # another room
    return "true" if is_one or (route == "examples" and request.path.startswith(url)) else ""


def _user(context: Context, request: HttpRequest | None) -> Any:
    """Who looks: what the view says, else Django; None where that cannot be known.

    Django asks the database only for who brings a session, and may not do so in an async view: one
    that wants the name shown gives the template `"user": await request.auser()`.
    """
    user = context["user"] if "user" in context else getattr(request, "user", None)
    try:
        str(user)  # it is found when it is first looked at
    except (SynchronousOnlyOperation, DatabaseError):
        return None
    return user
