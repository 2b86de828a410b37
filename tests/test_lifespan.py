"""Start and stop, as the ASGI server tells them."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, cast

from asgiref.testing import ApplicationCommunicator

from realtime.lifespan import Lifespan
from realtime.testing import ServerAddress


async def test_start_and_stop_are_both_answered() -> None:
    server = cast(Any, ApplicationCommunicator)(Lifespan(), {"type": "lifespan"})
    await server.send_input({"type": "lifespan.startup"})
    assert await server.receive_output() == {"type": "lifespan.startup.complete"}
    assert gc.get_freeze_count() > 0
    await server.send_input({"type": "lifespan.shutdown"})
    assert await server.receive_output() == {"type": "lifespan.shutdown.complete"}
    assert gc.get_freeze_count() == 0
    await server.wait()


async def test_nothing_is_said_unasked() -> None:
    said: list[Any] = []

    async def send(event: Any) -> None:
        said.append(event)

    task = asyncio.create_task(Lifespan()({"type": "lifespan"}, asyncio.Event().wait, send))
    await asyncio.sleep(0)
    task.cancel()
    assert said == []


async def test_a_server_that_insists_on_lifespan_starts(server: ServerAddress) -> None:
    assert server.server.config.lifespan == "on"
    assert server.server.started
