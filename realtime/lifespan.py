"""The server's start and stop, as ASGI's lifespan protocol tells them."""

from __future__ import annotations

import os
from typing import Any

from realtime import one_process
from realtime.hub import Hub, serve_here
from realtime.keeper import keep
from realtime.sd_notify import Notifier
from realtime.stopping import has_stopped, stop_in_time, uvicorn_server
from realtime.workarounds import mend_uvicorn


class Lifespan:
    """ASGI application for scopes of the type `lifespan`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        run = Run()
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
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
        self.hub = hub = serve_here()
        server = uvicorn_server()
        mend_uvicorn()
        self.notifier = Notifier(os.environ, lambda: status(hub))
        stop_in_time(self._stopping)
        self.keeper = await keep(hub)
        self.notifier.start(lambda: server is None or server.started)

    def _stopping(self) -> None:
        """It is to stop, and has some seconds for it."""
        self.notifier.stopping()
        self.hub.end_streams()

    async def stop(self) -> None:
        if self.keeper is not None:
            await self.keeper.stop()
        self.notifier.end()
        has_stopped()


def status(hub: Hub) -> str:
    """A line for `systemctl status`."""
    return f"{hub.connections} connections in {len(hub.rooms)} rooms"
