"""`python app.py`: the server, for this machine and its network."""

from __future__ import annotations

from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from realtime.web.addresses import lan_addresses

# How long a stop waits for handlers that are still busy, in seconds.
GRACEFUL_SHUTDOWN = 3


class Command(BaseCommand):
    help = "Serve this machine and its network. Stop with Ctrl+C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.REALTIME_HOST, help="default: %(default)s")
        parser.add_argument(
            "--port", type=int, default=settings.REALTIME_PORT, help="default: %(default)s"
        )

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        self.stdout.write(banner(host, port))
        uvicorn.run(
            ":".join(settings.ASGI_APPLICATION.rsplit(".", 1)),
            host=host,
            port=port,
            lifespan="on",
            log_level="warning",
            ws_max_size=settings.REALTIME_MAX_MESSAGE_SIZE,
            timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
            server_header=False,
        )


def banner(host: str, port: int) -> str:
    """The addresses to open, as a person reads them."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104
        found = lan_addresses()
        lines = ["On this machine:  http://localhost:{port}/"]
        lines += [f"On the network:   http://{address}:{{port}}/" for address in found]
        if not found:
            lines.append("On the network:   no network found")
    else:
        lines = [f"Open:  http://{host}:{{port}}/"]
    return "\n".join(["", *lines, "", "Stop with Ctrl+C.", ""]).format(port=port)
