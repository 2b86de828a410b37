"""Fixtures for pytest with pytest-asyncio: `pytest_plugins = ["realtime.testing.fixtures"]`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from channels.routing import get_default_application

from realtime.testing.local import LocalHub
from realtime.testing.server import ServerAddress, serving


@pytest_asyncio.fixture
async def realtime_server() -> AsyncIterator[ServerAddress]:
    """ASGI_APPLICATION on real uvicorn and a free port, in the test's own loop."""
    async with serving(get_default_application()) as address:
        yield address


@pytest.fixture
def local_hub() -> LocalHub:
    """Rooms without a network, and a clock that stands."""
    return LocalHub()
