"""Where a server is in its life: as its lifespan and its signals say."""

from __future__ import annotations

import asyncio
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from asgiref.testing import ApplicationCommunicator

from realtime import phase
from realtime.lifespan import Lifespan
from realtime.phase import Phase
from realtime.serving import stopping


async def test_it_serves_between_start_and_stop() -> None:
    server = cast(Any, ApplicationCommunicator)(Lifespan(), {"type": "lifespan"})
    await server.send_input({"type": "lifespan.startup"})
    await server.receive_output()
    assert phase.current() is Phase.SERVING
    await server.send_input({"type": "lifespan.shutdown"})
    await server.receive_output()
    assert phase.current() is Phase.STOPPING
    phase.enter(Phase.SERVING)


async def test_it_stops_from_the_signal_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_is_asked", False)  # as it was, when this is over
    state = SimpleNamespace(tasks=set(), connections=set())
    server = SimpleNamespace(should_exit=False, force_exit=False, server_state=state)
    stopping._stop(server, asyncio.get_running_loop(), lambda: None, signal.SIGTERM, None)
    assert phase.current() is Phase.STOPPING
    phase.enter(Phase.SERVING)
