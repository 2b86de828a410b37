"""The server's start and stop, as ASGI's lifespan protocol tells them."""

from __future__ import annotations

from typing import Any

from realtime import one_process, reach
from realtime.hub import serve_here
from realtime.stopping import stop_in_time, uvicorn_server
from realtime.workarounds import mend_uvicorn


class Lifespan:
    """ASGI application for scopes of the type `lifespan`."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                if sentence := one_process.refusal(uvicorn_server()):
                    await send({"type": "lifespan.startup.failed", "message": sentence})
                    return
                serve_here()
                mend_uvicorn()
                reach.tell(uvicorn_server())  # before stop_in_time(), which hides the server
                stop_in_time()
                await send({"type": "lifespan.startup.complete"})
            else:
                await send({"type": "lifespan.shutdown.complete"})
                return
