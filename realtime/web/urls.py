"""Every HTTP path of the server."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.templatetags.static import static
from django.urls import URLPattern, path, re_path, register_converter
from django.urls.converters import StringConverter
from django.views.generic import RedirectView

from realtime.web import health, operate, pages, views
from realtime.web.api import api, metrics, nothing, post_message, read_messages, room, rooms
from realtime.web.events import events
from realtime.web.operator import operator
from realtime.web.status import status

handler400 = "realtime.web.views.bad_request"
handler403 = "realtime.web.views.forbidden"
handler404 = "realtime.web.views.not_found"
handler500 = "realtime.web.views.server_error"


class FullRoomName(StringConverter):
    """A room's name, with or without its kind and a slash before it; api() checks it."""

    regex = "[^/]+(?:/[^/]+)?"


register_converter(FullRoomName, "room")


def api_paths(route: str, view: Any, *, name: str) -> list[URLPattern]:
    """With and without the last slash: a redirect would make a GET of a POST, in silence."""
    return [path(route, view, name=name), path(route.removesuffix("/"), view)]


urlpatterns = [
    path("", views.home, name="home"),
    path("echo/", views.echo, name="echo"),
    path("rooms/<str:name>/", pages.room, name="room"),
    path("board/<str:name>/", pages.board, name="board"),
    path("operator/", operator, name="operator"),
    # What a browser asks for beside a page that names no icon, such as the admin's.
    path("favicon.ico", RedirectView.as_view(url=static("realtime/icon.svg")), name="icon"),
    *api_paths("api/rooms/", api(GET=rooms), name="api-rooms"),
    *api_paths(
        "api/rooms/<room:room>/messages/",
        api(GET=read_messages, POST=post_message),
        name="api-messages",
    ),
    *api_paths("api/rooms/<room:room>/events/", api(GET=events), name="api-events"),
    *api_paths("api/rooms/<room:room>/members/", api(GET=operate.members), name="api-members"),
    *(
        pattern
        for act, view in operate.ACTS.items()
        for pattern in api_paths(
            f"api/rooms/<room:room>/members/<str:member>/{act}/", view, name=f"api-{act}"
        )
    ),
    # Behind all that is about a part of a room: rooms/quiz/messages/ are the messages of "quiz".
    *api_paths("api/rooms/<room:room>/", api(GET=room), name="api-room"),
    *(
        pattern
        for act, view in operate.ACTS_ON_ALL.items()
        for pattern in api_paths(f"api/screens/{act}/", view, name=f"api-screens-{act}")
    ),
    *api_paths("api/status/", api(GET=status), name="api-status"),
    re_path(r"^api/(?P<path>.*)$", api(GET=nothing, POST=nothing)),
    path("metrics", api(GET=metrics), name="metrics"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("accounts/login/", LoginView.as_view(template_name="realtime/login.html"), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    re_path(r"^ws/", views.upgrade_required),
]
