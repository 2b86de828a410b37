"""The server's start and stop, as ASGI's lifespan protocol tells them."""

from __future__ import annotations

from typing import Any

from realtime import one_process, phase, reach
from realtime.hub import serve_here
from realtime.keeper import keep
from realtime.phase import Phase
from realtime.stopping import stop_in_time, uvicorn_server
from realtime.workarounds import mend_uvicorn


class Lifespan:
    """ASGI application for scopes of the type `lifespan`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        keeper = None
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                phase.enter(Phase.STARTING)
                if sentence := one_process.refusal(uvicorn_server()):
                    await send({"type": "lifespan.startup.failed", "message": sentence})
                    return
                hub = serve_here()
                mend_uvicorn()
                reach.tell(uvicorn_server())  # before stop_in_time(), which hides the server
                stop_in_time()
                keeper = await keep(hub)
                phase.enter(Phase.SERVING)
                await send({"type": "lifespan.startup.complete"})
            else:
                phase.enter(Phase.STOPPING)
                if keeper is not None:
                    await keeper.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
