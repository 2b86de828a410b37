"""`python app.py`: the server, for this machine and its network."""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sys
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import supports_color
from uvicorn.config import LOGGING_CONFIG

from realtime.web import qr
from realtime.web.addresses import lan_addresses
from realtime.web.obstacles import is_loopback, obstacles

# Hosts that mean every interface of this machine.
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104


class Command(BaseCommand):
    help = "Serve this machine and its network. Stop with Ctrl+C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.REALTIME_HOST, help="default: %(default)s")
        parser.add_argument(
            "--port", type=port_number, default=settings.REALTIME_PORT, help="default: %(default)s"
        )

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        listener = listen(host, port)
        bound = listener.getsockname()[1]
        self.stdout.write(banner(host, bound, columns=terminal_columns()))
        self.stdout.flush()  # a log file or journal gets the addresses now, not at the end
        config = uvicorn.Config(
            ":".join(settings.ASGI_APPLICATION.rsplit(".", 1)),
            lifespan="on",
            log_config=uvicorn_logging(),
            log_level="warning",
            ws_max_size=settings.REALTIME_MAX_MESSAGE_SIZE,
            server_header=False,
        )
        with listener:
            uvicorn.Server(config).run(sockets=[listener])


def uvicorn_logging() -> dict[str, Any] | None:
    """uvicorn's own, unless the project's LOGGING says how uvicorn's lines are written."""
    loggers: dict[str, Any] = settings.LOGGING.get("loggers", {})
    return None if "uvicorn" in loggers else LOGGING_CONFIG


def port_number(text: str) -> int:
    port = int(text) if text.isdecimal() else -1
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535")
    return port


def listen(host: str, port: int) -> socket.socket:
    """The listening socket; a `CommandError` in words when the address cannot be had."""
    everywhere = host == "::" and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, port), family=family, backlog=2048, dualstack_ipv6=everywhere
        )
    except OSError as error:
        why = str(error.strerror or error).partition(" (while")[0]
        raise CommandError(
            f"Cannot serve at {host or '*'} port {port}: {why}. "
            f"Another port may do: python app.py --port {port + 1 if port < 65_535 else 8000}"
        ) from None


def banner(host: str, port: int, *, columns: int = 0) -> str:
    """The addresses to open, as a person reads them; with a QR code, if it fits `columns`."""
    addresses = lan_addresses() if host in EVERYWHERE else [f"[{host}]" if ":" in host else host]
    urls = [f"http://{address}:{port}/" for address in addresses]
    if host in EVERYWHERE:
        lines = [f"On this machine:  http://localhost:{port}/"]
        lines += [f"On the network:   {url}" for url in urls or ["no network found"]]
    else:
        lines = [f"Open:  {urls[0]}"]
    if urls and not is_loopback(host) and len(qr.modules(urls[0])) <= columns:
        lines += ["", qr.terminal(urls[0])]
    lines += ["", "If a phone finds nothing:"]
    lines += [f"  {obstacle}" for obstacle in obstacles(host, port, addresses)]
    return "\n".join(["", *lines, "", "Stop with Ctrl+C.", ""])


def terminal_columns() -> int:
    """The width of a terminal that shows colours and half blocks; 0 for a file or another."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    can = supports_color() and encoding == "utf8" and os.environ.get("TERM") != "dumb"
    return shutil.get_terminal_size().columns if can else 0
