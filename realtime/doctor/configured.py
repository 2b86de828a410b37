"""What the doctor finds in the settings as Django has loaded them."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from channels.routing import get_default_application
from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.db import DatabaseError, connection
from django.http.request import validate_host

from realtime.doctor import machine
from realtime.doctor.finding import Finding, note, ok, problem
from realtime.doctor.mistakes import MISTAKES
from realtime.routing import readable_paths, served
from realtime.web.addresses import lan_addresses

# Seconds for a port of this machine to answer.
PATIENCE = 2.0
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104


def serve_command() -> str:
    """What starts a server here: in a project of somebody's own it is a command of manage.py."""
    return "python manage.py serve" if Path(sys.argv[0]).name == "manage.py" else "python app.py"


def look() -> Iterator[Finding]:
    for part in (checks, hosts, origins, addresses, port, sockets, layer, database, disk):
        yield from part()


def checks() -> Iterator[Finding]:
    """Django's own system checks, and ours among them: library, layer, workers."""
    messages = run_checks()
    for message in messages:
        kind = problem if message.level >= ERROR else note
        mend = message.hint or "python app.py check says more."
        yield kind("checks", f"{message.msg} ({message.id})", " ".join(mend.split()))
    if not messages:
        yield ok("checks", "System checks: nothing found; one process; a WebSocket library.")


def hosts() -> Iterator[Finding]:
    allowed = list(settings.ALLOWED_HOSTS)
    if "*" in allowed:
        yield MISTAKES["hosts-star"].at("")
        return
    if settings.DEBUG:
        yield note("hosts", "DEBUG is on: errors show your source.", "Unset DEBUG outside of work.")
    outside = [each for each in lan_addresses() if not validate_host(each, allowed)]
    if outside:
        text = f"Phones get 400: {', '.join(outside)} is not in ALLOWED_HOSTS."
        mend = "ALLOWED_HOSTS = [*local_hosts()], from realtime.hosts: any address, never a name."
        yield problem("hosts", text, mend)
    else:
        names = ", ".join(dict.fromkeys(map(str, allowed))) or "localhost only"
        yield ok("hosts", f"Opened by: {names}.")


def origins() -> Iterator[Finding]:
    others = ", ".join(settings.CSRF_TRUSTED_ORIGINS)
    native = "refused" if settings.REALTIME_STRICT_ORIGIN else "let in"
    pages = f"its own pages and those of {others}" if others else "its own pages only"
    yield ok("origins", f"WebSockets from {pages}; clients without an Origin are {native}.")


def addresses() -> Iterator[Finding]:
    found = lan_addresses()
    if not found:
        mend = f"Join a network; then start with: {serve_command()}"
        yield note("addresses", "This machine is in no network: phones cannot get in.", mend)
    elif settings.REALTIME_HOST not in EVERYWHERE:
        text = f"{serve_command()} serves {settings.REALTIME_HOST} alone."
        yield note("addresses", text, "Unset REALTIME_HOST to let phones in.")
    else:
        urls = ", ".join(f"http://{each}:{settings.REALTIME_PORT}/" for each in found)
        yield ok("addresses", f"For phones, with {serve_command()}: {urls}")


def port() -> Iterator[Finding]:
    """Whether `python app.py` would get its port, or has it."""
    number = settings.REALTIME_PORT
    family = socket.AF_INET6 if ":" in settings.REALTIME_HOST else socket.AF_INET
    try:
        socket.create_server((settings.REALTIME_HOST, number), family=family).close()
    except OSError as error:
        yield _taken(number, error)
    else:
        yield ok("port", f"Port {number} is free: no server runs there.")


def _taken(number: int, error: OSError) -> Finding:
    if error.errno == errno.EADDRINUSE and is_ours(f"http://127.0.0.1:{number}"):
        return ok("port", f"Port {number}: this server runs there.")
    if error.errno == errno.EADDRINUSE:
        mend = f"Stop it, or: {serve_command()} --port {number + 1}"
        return problem("port", f"Port {number} is another program's.", mend)
    if error.errno == errno.EACCES:
        mend = "REALTIME_PORT=8000, and a reverse proxy in front for port 80."
        return problem("port", f"Port {number} is not for ordinary users.", mend)
    text = f"{settings.REALTIME_HOST} port {number}: {error.strerror}."
    return problem("port", text, "Unset REALTIME_HOST and REALTIME_PORT.")


def is_ours(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=PATIENCE) as answer:  # noqa: S310
            return "status" in json.load(answer)
    except (OSError, ValueError):
        return False


def sockets() -> Iterator[Finding]:
    """Whether ASGI_APPLICATION leads to sockets, and to which."""
    package = str(settings.SETTINGS_MODULE).rpartition(".")[0]
    name = f"{package}.asgi.application" if package else "app.application"
    mend = f'ASGI_APPLICATION = "{name}" in the settings.'
    if not getattr(settings, "ASGI_APPLICATION", None):
        yield note("sockets", "No ASGI_APPLICATION: only uvicorn needs none.", mend)
        return
    try:
        application: Any = get_default_application()
    except Exception as error:  # whatever a project's module may raise
        text = f"{settings.ASGI_APPLICATION} cannot be loaded: {error}"
        yield problem("sockets", text, mend)
        return
    if "websocket" not in getattr(application, "application_mapping", {}):
        yield MISTAKES["router-unserved"].at("", f"{settings.ASGI_APPLICATION} has no WebSockets.")
    else:
        yield ok("sockets", f"WebSockets: {', '.join(readable_paths(served()))}")


def layer() -> Iterator[Finding]:
    """Whether the Redis of a layer that wants one is there."""
    layers = getattr(settings, "CHANNEL_LAYERS", None) or {}
    default = layers.get("default", {})
    if not str(default.get("BACKEND", "")).startswith("channels_redis"):
        return
    for host, number in redis_addresses(default.get("CONFIG", {}).get("hosts", [])):
        try:
            socket.create_connection((host, number), PATIENCE).close()
        except OSError as error:
            text = f"No Redis answers at {host}:{number} ({error.strerror or error})."
            yield MISTAKES["redis-layer"].at("", text)


def redis_addresses(entries: list[Any]) -> list[tuple[str, int]]:
    """Of the `hosts` of channels_redis: pairs, URLs, or dicts with an address."""
    found = []
    for entry in entries or [("127.0.0.1", 6379)]:
        address = entry.get("address", "") if isinstance(entry, dict) else entry
        if isinstance(address, list | tuple):
            found.append((str(address[0]), int(address[1])))
        elif str(address).startswith(("redis://", "rediss://")):
            parts = urllib.parse.urlsplit(str(address))
            found.append((parts.hostname or "127.0.0.1", parts.port or 6379))
    return found


def database() -> Iterator[Finding]:
    """Whether somebody could log in; no file is made by asking."""
    default = settings.DATABASES.get("default", {})
    is_sqlite = default.get("ENGINE", "").endswith("sqlite3")
    if is_sqlite and not os.path.exists(default.get("NAME", "")):
        yield ok("database", "No database yet: accounts need one, rooms do not.")
        return
    try:
        tables = connection.introspection.table_names()
    except DatabaseError as error:
        yield problem("database", f"The database does not answer: {error}", "Look at DATABASES.")
        return
    if "django_session" not in tables:
        text = "The database has no tables: nobody can log in."
        yield note("database", text, "python app.py migrate")
    else:
        yield ok("database", "The database has its tables.")


def disk() -> Iterator[Finding]:
    base = Path(getattr(settings, "BASE_DIR", "."))
    key = base / ".secret-key"
    yield from machine.private(key)
    places = {"the secret key and the database": base}
    if settings.REALTIME_SNAPSHOT:
        places["the snapshot"] = Path(settings.REALTIME_SNAPSHOT).resolve().parent
    for what, path in places.items():
        yield from machine.folder(path, what)
