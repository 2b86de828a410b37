"""What `python app.py check` finds in a project's set-up, and how to mend it.

Each finding has an id of its own (E: it cannot work; W: it works until it does not), so that one
may silence it with Django's SILENCED_SYSTEM_CHECKS. Other settings are looked at in `settings.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from channels import DEFAULT_CHANNEL_LAYER
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as Caution

from realtime.names import NameRefused, kind_name

LAYER = "realtime.layers.InMemoryChannelLayer"
MEND = f'Set CHANNEL_LAYERS = {{"default": {{"BACKEND": "{LAYER}"}}}}.'

# Who starts several processes, and how each is told: uvicorn and gunicorn, uvicorn, gunicorn.
WORKERS = {
    "WEB_CONCURRENCY": r"\s*(\d+)",
    "UVICORN_WORKERS": r"\s*(\d+)",
    "GUNICORN_CMD_ARGS": r"(?:.*\s)?(?:-w\s*|--workers[=\s]\s*)(\d+)",
}

# One of these speaks WebSocket for uvicorn.
LIBRARIES = ("websockets", "wsproto")


@register("realtime")
def check_channel_layer(**options: Any) -> Iterator[CheckMessage]:
    """The layer that all consumers use by default."""
    layers: Mapping[str, Any] = getattr(settings, "CHANNEL_LAYERS", None) or {}
    if DEFAULT_CHANNEL_LAYER not in layers:
        yield Error(
            "CHANNEL_LAYERS has no default: consumers have no groups.",
            hint=MEND,
            id="realtime.E001",
        )
        return
    backend = str(layers[DEFAULT_CHANNEL_LAYER].get("BACKEND", ""))
    if backend == "channels.layers.InMemoryChannelLayer":
        yield Caution(
            "Channels' own in-memory layer drops messages in silence, forgets members after a day, "
            "and its broadcasts cost the square of their members.",
            hint=MEND,
            id="realtime.W001",
        )
    elif backend.startswith("channels_redis"):
        yield Caution(
            "The channel layer needs a Redis server, and this one process needs none.",
            hint=f"{MEND} Keep Redis if other processes send to the same groups.",
            id="realtime.W002",
        )


@register("realtime")
def check_one_process(**options: Any) -> Iterator[CheckMessage]:
    """Rooms and groups live in one process; a second one has rooms of its own."""
    for name, pattern in WORKERS.items():
        value = os.environ.get(name, "")
        found = re.match(pattern, value)
        if found and int(found[1]) > 1:
            yield Error(
                f"{name}={value} starts several processes, and each would have rooms of its own.",
                hint=f"Unset {name}, or make it one worker: one process is the rule.",
                id="realtime.E002",
            )


@register("realtime")
def check_websocket_library(**options: Any) -> Iterator[CheckMessage]:
    """uvicorn without one answers each WebSocket with a 404 or 400."""
    if not any(_is_installed(name) for name in LIBRARIES):
        yield Error(
            "No WebSocket library is installed: uvicorn would refuse every WebSocket.",
            hint='Install one: pip install "websockets>=16"',
            id="realtime.E003",
        )


@register("realtime")
def check_ways_around(**options: Any) -> Iterator[CheckMessage]:
    """A rule that holds on one path, for rooms that another path leads into as well."""
    from realtime.room_consumer import RoomConsumer  # needs the settings that are being checked
    from realtime.routing import served
    from realtime.seat import SeatedConsumer

    for pattern in served():
        consumer: Any = getattr(pattern.callback, "consumer_class", None)
        if not (isinstance(consumer, type) and issubclass(consumer, RoomConsumer)):
            continue
        has_rule = consumer.authorize is not SeatedConsumer.authorize
        is_shared = consumer.room_name is SeatedConsumer.room_name and not consumer.kind
        if has_rule and is_shared:
            yield Caution(
                f"{consumer.__name__}.authorize() can be got around: who connects to "
                "ws/rooms/<room>/ is in the same rooms, and is not asked.",
                hint=f'Give it rooms of its own: kind = "{consumer.__name__.lower()}".',
                id="realtime.W003",
            )


@register("realtime")
def check_kinds(**options: Any) -> Iterator[CheckMessage]:
    """A kind whose rooms browsers join, and that nothing else can name."""
    from realtime.routing import served  # needs the settings that are being checked
    from realtime.seat import SeatedConsumer

    for pattern in served():
        consumer: Any = getattr(pattern.callback, "consumer_class", None)
        if not (isinstance(consumer, type) and issubclass(consumer, SeatedConsumer)):
            continue
        try:
            kind_name(consumer.kind or "none")
        except NameRefused as refused:
            yield Caution(
                f"{consumer.__name__}.kind is {consumer.kind!r}: publish(), /api/ and the commands "
                "refuse the names of its rooms.",
                hint=str(refused),
                id="realtime.W004",
            )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
