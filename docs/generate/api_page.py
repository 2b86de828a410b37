"""What a project may import, with signatures: whatever is not here may change at any time."""

from __future__ import annotations

import inspect
import os
import re
from importlib import import_module
from typing import Any

import django

from docs.generate.tables import table

# In the order in which a project meets them. A change here, or of a signature, is a change of the
# version: CHANGELOG.md has to name it.
SURFACE = {
    "realtime": ["RoomConsumer", "publish", "roster", "disconnect", "user_room"],
    "realtime.room_consumer": ["RoomConsumer", "NotificationConsumer", "Refused"],
    "realtime.consumers": ["AsyncWebsocketConsumer", "AsyncJsonWebsocketConsumer", "EchoConsumer"],
    "realtime.layers": ["InMemoryChannelLayer"],
    "realtime.connection": ["Overflow"],
    "realtime.rooms": ["Receipt", "Full"],
    "realtime.roster": ["Member"],
    "realtime.names": ["NameRefused"],
    "realtime.hub": ["NotServingError"],
    "realtime.hosts": ["HostGuard", "AnyAddress", "local_hosts"],
    "realtime.bodies": ["BodyLimit"],
    "realtime.lifespan": ["Lifespan"],
    "realtime.routing": ["websocket_router"],
    "realtime.testing": ["serving", "joined", "Client", "View", "StandingClock", "LocalHub"],
}

# Of RoomConsumer, what a subclass may override and call.
METHODS = ["authorize", "room_name", "publish", "signal", "tell", "close", "dismiss"]


def surface() -> str:
    rows = [
        (f"`{module}`", f"`{name}{_signature(found)}`", _words(found))
        for module, names in SURFACE.items()
        for name in names
        for found in [getattr(_module(module), name)]
    ]
    return table(("module", "name", "what"), rows)


def methods() -> str:
    consumer = _module("realtime").RoomConsumer
    rows = [
        (f"`{name}{_signature(found)}`", _words(found))
        for name in METHODS
        for found in [getattr(consumer, name)]
    ]
    return table(("of a `RoomConsumer`", "what"), rows)


def _module(name: str) -> Any:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    django.setup()
    return import_module(name)


def _signature(found: Any) -> str:
    """Without hints, which are in the code; a class shows none but an exception's."""
    if inspect.isclass(found):
        return ""
    names = inspect.signature(found).parameters.values()
    parts: list[str] = []
    for each in names:
        if each.kind is each.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        shown = getattr(each.default, "__name__", repr(each.default))  # of a function, its name
        default = "" if each.default is each.empty else f"={shown}"
        stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
        star = stars.get(each.kind.name, "")
        parts.append(f"{star}{each.name}{default}")
    return f"({', '.join(part for part in parts if part != 'self')})"


def _words(found: Any) -> str:
    """The first sentence of its docstring."""
    text = inspect.cleandoc(found.__doc__ or "")
    return re.split(r"(?<=\.)\s", text.replace("\n", " "))[0]
