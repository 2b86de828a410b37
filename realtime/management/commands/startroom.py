"""`python app.py startroom NAME`: a room of your own: consumer, route, page and test."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import Resolver404, resolve

from realtime.management.insertion import Unexpected, with_entry, with_import
from realtime.routing import served

TEMPLATES = Path(__file__).parent.parent / "room"

# What is made of each template.
FILES = {
    "consumers.py-tpl": "consumers.py",
    "urls.py-tpl": "urls.py",
    "test.py-tpl": "test_{name}.py",
    "room.html-tpl": "templates/{name}/room.html",
    "room.js-tpl": "static/{name}/room.js",
}

# Longer, and the lines with it twice would have more than 100 characters.
MAX_LENGTH = 20


class Command(BaseCommand):
    help = "Start a room of your own: its consumer, route, page and test, in a folder of that name."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's attribute)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="such as quiz")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        folder = Path(getattr(settings, "BASE_DIR", Path.cwd())) / name
        if sentence := refusal(name, folder):
            raise CommandError(sentence)
        try:
            edits, problem = edited(name), ""
        except Unexpected as unexpected:
            edits, problem = {}, str(unexpected)
        try:
            write(folder, made(name), edits)
        except OSError as error:
            why = f"{error.strerror or error} ({error.filename or folder})"
            raise CommandError(f"Nothing was written: {why}.") from None
        self.stdout.write(f"Made {name}/ with {', '.join(made(name))}.")
        names = " and ".join(path.name for path in edits)
        self.stdout.write(by_hand(name, problem) if problem else f"Added its lines to {names}.")
        self.stdout.write(f"\nStart the server, and open /{name}/. Test it: pytest {name}")


def refusal(name: str, folder: Path) -> str | None:
    """Why there can be no room of that name, or None."""
    if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{MAX_LENGTH - 1}}}", name):
        return (
            f"{name!r} is no name for a Python package: take 1 to {MAX_LENGTH} small letters, "
            "digits and _, a letter first, such as quiz."
        )
    if keyword.iskeyword(name):
        return f"{name!r} is a word of the Python language: choose another name."
    if folder.exists():
        return f"There is something named {name} in {folder.parent} already: choose another name."
    if name in sys.stdlib_module_names or find_spec(name) is not None:
        return f"{name!r} is the name of a Python module already: choose another one."
    if _is_taken(name):
        return f"This server has pages or sockets at {name}/ already: choose another name."
    return None


def _is_taken(name: str) -> bool:
    if any(pattern.pattern.match(f"ws/{name}/lobby/") for pattern in served()):
        return True
    return (
        f"/{name}/" == settings.STATIC_URL or _is_page(f"/{name}/") or _is_page(f"/{name}/lobby/")
    )


def _is_page(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def made(name: str) -> dict[str, str]:
    """The files of the new folder."""
    application, _, _ = _application().rpartition(".")
    words = {"ROOM": name, "CLASS": name.title().replace("_", ""), "APPLICATION": application}
    files = {"__init__.py": ""}
    for template, path in FILES.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(word, value)
        files[path.format(name=name)] = text
    return files


def edited(name: str) -> dict[Path, str]:
    """The project's files with the lines of the new room. Raises Unexpected."""
    edits = {}
    for module, change in ((settings.ROOT_URLCONF, _in_app), (settings.SETTINGS_MODULE, _in_conf)):
        path = _file(module)
        try:
            edits[path] = change(path.read_bytes().decode(), name)
        except ValueError as error:  # Unexpected, or not UTF-8
            raise Unexpected(f"{path.name} was not changed, for {error}") from None
    return edits


def _in_app(text: str, name: str) -> str:
    text = with_entry(text, "urlpatterns", _page(name))
    text = with_entry(text, "websocket_urlpatterns", f"*{name}_sockets")
    return with_import(text, f"{name}.urls", _sockets(name))


def _in_conf(text: str, name: str) -> str:
    return with_entry(text, "INSTALLED_APPS", f'"{name}"')


def by_hand(name: str, problem: str) -> str:
    conf, urls = _file(settings.SETTINGS_MODULE), _file(settings.ROOT_URLCONF)
    asgi = _application().rpartition(".")[0].replace(".", "/")
    return f"""
{problem}. So put these lines in yourself:

{conf.name}, INSTALLED_APPS, and ALLOWED_HOSTS for the server of its test:
    "{name}",
    "127.0.0.1",
{urls.name}, imports, and urlpatterns:
    from django.urls import include
    {_page(name)},
{asgi}.py, imports, and the list that websocket_router() gets:
    from {name}.urls import {_sockets(name)}
    *{name}_sockets,

Its test wants pytest, pytest-django and pytest-asyncio, with asyncio_mode = "auto"."""


def write(folder: Path, files: dict[str, str], edits: dict[Path, str]) -> None:
    """All of it or nothing: it is written aside, then moved to its place. Raises OSError."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".startroom-") as aside:
        for name, text in files.items():
            _put(Path(aside, folder.name, name), text)
        for number, (path, text) in enumerate(edits.items()):
            _put(Path(aside, str(number)), text)
            shutil.copymode(path, Path(aside, str(number)))
        before = {path: path.read_bytes() for path in edits}
        Path(aside, folder.name).rename(folder)
        try:
            for number, path in enumerate(edits):
                os.replace(Path(aside, str(number)), path)
        except OSError:
            shutil.rmtree(folder)
            for path, content in before.items():
                if path.read_bytes() != content:
                    path.write_bytes(content)
            raise


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _page(name: str) -> str:
    return f'path("{name}/", include("{name}.urls"))'


def _sockets(name: str) -> str:
    return f"websocket_urlpatterns as {name}_sockets"


def _application() -> str:
    """The dotted name of the ASGI application, which a plain project need not tell."""
    folder = settings.SETTINGS_MODULE.rpartition(".")[0]
    default = f"{folder}.asgi.application".lstrip(".")
    return str(getattr(settings, "ASGI_APPLICATION", None) or default)


def _file(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None, module
    assert spec.origin is not None, module
    return Path(spec.origin).resolve()
