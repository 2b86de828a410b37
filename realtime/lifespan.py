"""The server's start and stop, as ASGI's lifespan protocol tells them."""

from __future__ import annotations

from typing import Any

from realtime import one_process
from realtime.descriptors import ask_for_enough, complain_once
from realtime.hub import serve_here
from realtime.patience import limit_requests
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
                limit_requests()
                ask_for_enough()
                complain_once()
                stop_in_time()
                await send({"type": "lifespan.startup.complete"})
            else:
                await send({"type": "lifespan.shutdown.complete"})
                return
