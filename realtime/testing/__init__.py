"""The test kit: a real server in the test's loop, clients that know what they expect, a clock
that stands, and rooms without a network. See docs/reference/testing.md.

For tests only: nothing else of this package imports it. With pytest and pytest-asyncio,
`pytest_plugins = ["realtime.testing.fixtures"]` gives the fixtures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from realtime.testing.client import Client, joined, opened, room_url
from realtime.testing.clock import StandingClock
from realtime.testing.server import ServerAddress, serving
from realtime.testing.view import Frame, View

if TYPE_CHECKING:
    from realtime.testing.local import LocalHub, LocalSeat

__all__ = [
    "Client",
    "Frame",
    "LocalHub",
    "LocalSeat",
    "ServerAddress",
    "StandingClock",
    "View",
    "joined",
    "opened",
    "room_url",
    "serving",
]


def __getattr__(name: str) -> Any:
    """Local rooms on first use: they need Django's settings, a server of any kind does not."""
    if name in ("LocalHub", "LocalSeat"):
        from realtime.testing.local import LocalHub, LocalSeat

        return LocalHub if name == "LocalHub" else LocalSeat
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
