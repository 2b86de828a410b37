"""Which consumer serves which WebSocket path, and what an unknown path is told.

Every path connects with and without its last slash.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, cast

from channels.routing import URLRouter
from django.conf import settings
from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, re_path

from realtime.consumers import EchoConsumer
from realtime.hosts import accept_then_close
from realtime.room_consumer import NotificationConsumer, RoomConsumer

logger = logging.getLogger("realtime")

UNKNOWN_PATH = 4404

websocket_urlpatterns = [
    re_path(r"^ws/echo/?$", EchoConsumer.as_asgi()),
    re_path(r"^ws/real-time/?$", EchoConsumer.as_asgi()),
    re_path(r"^ws/rooms/(?P<room>[^/]+)/?$", RoomConsumer.as_asgi()),
    re_path(r"^ws/notifications/?$", NotificationConsumer.as_asgi()),
]


def websocket_router(patterns: Sequence[URLPattern]) -> URLRouter:
    """Channels' router over `patterns`; a path that none of them knows is closed with 4404."""
    known = ", ".join(readable_paths(patterns))

    async def unknown_path(scope: Any, receive: Any, send: Any) -> None:
        logger.warning("No WebSocket at %r. There are: %s", scope["path"][:200], known)
        reason = "There is no WebSocket at this path: the server's log names those there are."
        await accept_then_close(receive, send, UNKNOWN_PATH, reason)

    return URLRouter([*patterns, re_path(r"", cast(Any, unknown_path))])


def served() -> Sequence[URLPattern]:
    """The WebSockets that the project lists beside its pages; ours, if it lists none there."""
    project = import_module(settings.ROOT_URLCONF)
    patterns: Sequence[URLPattern] = getattr(
        project, "websocket_urlpatterns", websocket_urlpatterns
    )
    return patterns


def readable_paths(patterns: Sequence[URLPattern]) -> list[str]:
    """The paths as a person writes them: `/ws/rooms/<room>/`."""
    return [re.sub(r"<\w+:", "<", simplify_regex(str(each.pattern))) for each in patterns]
