"""The mistakes that are made in a settings file."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from realtime.doctor.finding import Finding
from realtime.doctor.mistakes import MISTAKES
from realtime.doctor.sources import Project, strings

STATIC_SERVERS = ("whitenoise", "servestatic", "StaticFiles")


def look(project: Project) -> Iterator[Finding]:
    if project.settings:
        for part in (_apps, _runserver, _layers, _hosts, _static):
            yield from part(project)


def _apps(project: Project) -> Iterator[Finding]:
    for source, value in project.setting("INSTALLED_APPS"):
        for node, app in strings(value):
            if app.startswith("channels_redis"):
                yield MISTAKES["redis-app"].at(source.place(node))
            if app == "daphne" and find_spec("daphne") is None:
                yield MISTAKES["daphne-app"].at(source.place(node))


def _runserver(project: Project) -> Iterator[Finding]:
    """Who has a manage.py types `runserver`; with daphne that serves WebSockets."""
    apps = [app for _, value in project.setting("INSTALLED_APPS") for _, app in strings(value)]
    for source in project.python:
        if source.path.name == "manage.py" and "daphne" not in apps:
            yield MISTAKES["runserver"].at(source.place(1))


def _layers(project: Project) -> Iterator[Finding]:
    layers = list(project.setting("CHANNEL_LAYERS"))
    for source, value in layers:
        for node, text in strings(value):
            if text.startswith("channels_redis"):
                yield MISTAKES["redis-layer"].at(source.place(node))
    users = [source for source in project.python if ".channel_layer.group_" in source.text]
    if users and not layers:
        yield MISTAKES["no-layer"].at(project.settings[0].place(1))


def _hosts(project: Project) -> Iterator[Finding]:
    for source, value in project.setting("ALLOWED_HOSTS"):
        for node, host in strings(value):
            if host == "*":
                yield MISTAKES["hosts-star"].at(source.place(node))


def _static(project: Project) -> Iterator[Finding]:
    middleware = list(project.setting("MIDDLEWARE"))
    texts = [text for _, value in middleware for _, text in strings(value)]
    by_asgi = any("ASGIStaticFilesHandler" in source.text for source in project.python)
    if middleware and not by_asgi and not any(s in t for s in STATIC_SERVERS for t in texts):
        source, value = middleware[0]
        yield MISTAKES["static-files"].at(source.place(value))
