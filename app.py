"""The ASGI application: which pages and which WebSockets this server has. Yours go in here.

uvicorn app:application         serve this machine
python app.py                   serve the network, and print the addresses; --host, --port
python app.py COMMAND           any Django command: check, shell, migrate, createsuperuser …
"""

import os
import sys

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.urls import include, path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
http = get_asgi_application()  # before the imports below: it loads the settings and the apps

from examples.urls import websocket_urlpatterns as example_sockets  # noqa: E402
from realtime.bodies import BodyLimit  # noqa: E402
from realtime.hosts import HostGuard  # noqa: E402
from realtime.lifespan import Lifespan  # noqa: E402
from realtime.routing import websocket_router  # noqa: E402
from realtime.routing import websocket_urlpatterns as realtime_sockets  # noqa: E402
from realtime.web.urls import handler400, handler403, handler404, handler500  # noqa: E402, F401

urlpatterns = [
    path("", include("realtime.web.urls")),
    path("examples/", include("examples.urls")),
]

websocket_urlpatterns = [
    *realtime_sockets,
    *example_sockets,
]

application = ProtocolTypeRouter(
    {
        "http": HostGuard(BodyLimit(http)),
        "websocket": HostGuard(AuthMiddlewareStack(websocket_router(websocket_urlpatterns))),
        "lifespan": Lifespan(),
    }
)


def command_line(arguments: list[str]) -> list[str]:
    """`arguments` as manage.py takes them: without the name of a command it is `serve`."""
    first = arguments[0] if arguments else "--"
    if first.startswith("-") and first not in ("-h", "--help", "--version"):
        return ["serve", *arguments]
    return arguments


if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], *command_line(sys.argv[1:])])
