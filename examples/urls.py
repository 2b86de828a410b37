"""Where the examples live. Chat and cursors have no consumer: RoomConsumer as it is does it."""

from collections.abc import Callable

from django.http import HttpResponse
from django.urls import path, re_path
from django.views.generic import TemplateView

from examples import notifications
from examples.buzzer import Buzzer
from examples.gauge import Gauge
from examples.poll import Poll
from examples.progress import Progress
from examples.toy import Toy


def page(name: str) -> Callable[..., HttpResponse]:
    return TemplateView.as_view(template_name=f"examples/{name}.html")


urlpatterns = [
    path("", page("index"), name="examples"),
    path("chat/", page("chat"), name="example-chat"),
    path("gauge/", page("gauge"), name="example-gauge"),
    path("poll/", page("poll"), name="example-poll"),
    path("buzzer/", page("buzzer"), name="example-buzzer"),
    path("cursors/", page("cursors"), name="example-cursors"),
    path("progress/", page("progress"), name="example-progress"),
    path("notifications/", notifications.page, name="example-notifications"),
    path("toy/", page("toy"), name="example-toy"),
]

websocket_urlpatterns = [
    re_path(r"^ws/examples/gauge/?$", Gauge.as_asgi()),
    re_path(r"^ws/examples/poll/(?P<room>[^/]+)/?$", Poll.as_asgi()),
    re_path(r"^ws/examples/buzzer/(?P<room>[^/]+)/?$", Buzzer.as_asgi()),
    re_path(r"^ws/examples/progress/?$", Progress.as_asgi()),
    re_path(r"^ws/examples/toy/(?P<room>[^/]+)/?$", Toy.as_asgi()),
]
