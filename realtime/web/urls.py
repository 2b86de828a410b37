"""Every HTTP path of the server."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView

from realtime.web import health, operate, pages, views
from realtime.web.api import api, metrics, post_message, read_messages, room, rooms
from realtime.web.events import events
from realtime.web.operator import operator
from realtime.web.status import status

handler400 = "realtime.web.views.bad_request"
handler403 = "realtime.web.views.forbidden"
handler404 = "realtime.web.views.not_found"
handler500 = "realtime.web.views.server_error"

urlpatterns = [
    path("", views.home, name="home"),
    path("echo/", views.echo, name="echo"),
    path("rooms/<str:name>/", pages.room, name="room"),
    path("board/<str:name>/", pages.board, name="board"),
    path("operator/", operator, name="operator"),
    # What a browser asks for beside a page that names no icon, such as the admin's.
    path("favicon.ico", RedirectView.as_view(url=static("realtime/icon.svg")), name="icon"),
    path("api/rooms/", api(GET=rooms), name="api-rooms"),
    path("api/rooms/<str:room>/", api(GET=room), name="api-room"),
    path(
        "api/rooms/<str:room>/messages/",
        api(GET=read_messages, POST=post_message),
        name="api-messages",
    ),
    path("api/rooms/<str:room>/events/", api(GET=events), name="api-events"),
    path("api/rooms/<str:room>/members/", api(GET=operate.members), name="api-members"),
    *(
        path(f"api/rooms/<str:room>/members/<str:member>/{act}/", view, name=f"api-{act}")
        for act, view in operate.ACTS.items()
    ),
    *(
        path(f"api/screens/{act}/", view, name=f"api-screens-{act}")
        for act, view in operate.ACTS_ON_ALL.items()
    ),
    path("api/status/", api(GET=status), name="api-status"),
    path("metrics", api(GET=metrics), name="metrics"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("accounts/login/", LoginView.as_view(template_name="realtime/login.html"), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    re_path(r"^ws/", views.upgrade_required),
]
