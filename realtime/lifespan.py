"""The server's start and stop, as ASGI's lifespan protocol tells them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from typing import Any

from realtime import phase
from realtime.hub import Hub, serve_here
from realtime.keeper import keep
from realtime.phase import Phase
from realtime.serving import one_process, reach
from realtime.serving.background import Background, Work, checked
from realtime.serving.descriptors import ask_for_enough, complain_once
from realtime.serving.patience import limit_requests
from realtime.serving.sd_notify import Notifier
from realtime.serving.stopping import has_stopped, stop_in_time, uvicorn_server
from realtime.serving.workarounds import mend_uvicorn
from realtime.words import counted


class Lifespan:
    """ASGI application for scopes of the type `lifespan`; `background=[run, …]` names functions
    that are called while the server serves, and in no command.

    A function has a thread of its own, a coroutine function is a task of the server's loop. One
    that returns is done; one that raises is logged, and called again after 1, 2, 4 … 60 s. Raises
    TypeError for what cannot be called without arguments.
    """

    def __init__(self, *, background: Iterable[Work] = ()) -> None:
        self._background = checked(background)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        run = Run(self._background)
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                phase.enter(Phase.STARTING)
                if sentence := one_process.refusal(uvicorn_server()):
                    await send({"type": "lifespan.startup.failed", "message": sentence})
                    one_process.end_supervisor()
                    return
                await run.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await run.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


class Run:
    """What is begun before the first connection, and ended after the last."""

    def __init__(self, background: Iterable[Work] = ()) -> None:
        self._background = Background(background)

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
        self._background.start()
        # What is loaded by now stays, so the collector need not look at it again and again: a fifth
        # of the work of a join, and the longest pauses (docs.python.org, gc.freeze).
        gc.freeze()

    async def stop(self) -> None:
        gc.unfreeze()
        phase.enter(Phase.STOPPING)
        # First, so that what it says last is kept.
        all_ended = await self._background.stop()
        if self.keeper is not None:
            await self.keeper.stop()
        self.notifier.end()
        has_stopped(all_ended=all_ended)


def status(hub: Hub) -> str:
    """A line for `systemctl status`."""
    return f"{counted(hub.connections, 'connection')} in {counted(len(hub.rooms), 'room')}"
