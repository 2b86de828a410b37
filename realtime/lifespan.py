"""The server's start and stop, as ASGI's lifespan protocol tells them."""

from __future__ import annotations

import os
from typing import Any

from realtime import one_process, phase, reach
from realtime.descriptors import ask_for_enough, complain_once
from realtime.hub import Hub, serve_here
from realtime.keeper import keep
from realtime.patience import limit_requests
from realtime.phase import Phase
from realtime.sd_notify import Notifier
from realtime.stopping import has_stopped, stop_in_time, uvicorn_server
from realtime.words import counted
from realtime.workarounds import mend_uvicorn


class Lifespan:
    """ASGI application for scopes of the type `lifespan`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        run = Run()
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                phase.enter(Phase.STARTING)
                if sentence := one_process.refusal(uvicorn_server()):
                    await send({"type": "lifespan.startup.failed", "message": sentence})
                    return
                await run.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await run.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


class Run:
    """What is begun before the first connection, and ended after the last."""

    async def start(self) -> None:
        # The server first: stop_in_time() hides it.
        server, hub = uvicorn_server(), serve_here()
        mend_uvicorn()
        limit_requests()
        ask_for_enough()
        complain_once()
        reach.tell(server)
        self.notifier = Notifier(os.environ, lambda: status(hub))
        stop_in_time(self.notifier.stopping)
        self.keeper = await keep(hub)
        self.notifier.start(lambda: server is None or server.started)
        phase.enter(Phase.SERVING)

    async def stop(self) -> None:
        phase.enter(Phase.STOPPING)
        if self.keeper is not None:
            await self.keeper.stop()
        self.notifier.end()
        has_stopped()


def status(hub: Hub) -> str:
    """A line for `systemctl status`."""
    return f"{counted(hub.connections, 'connection')} in {counted(len(hub.rooms), 'room')}"
