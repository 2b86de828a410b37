"""The loop that serves, and calls into it from other loops and threads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

# How long a sender in another thread or loop waits for the serving loop, in seconds: long enough
# to be no faster than the members, short enough when that loop waits for the sender.
PATIENCE = 1.0


class Home:
    """The first loop that binds, until it is closed."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None

    def bind(self) -> None:
        """The first loop that reads here is the one that serves."""
        if self.loop is None or self.loop.is_closed():
            self.loop = asyncio.get_running_loop()

    @property
    def is_elsewhere(self) -> bool:
        """Whether the caller runs in another loop than the one that serves."""
        loop = self.loop
        return not (loop is None or loop.is_closed() or loop is asyncio.get_running_loop())

    async def run(self, work: Callable[..., object], *arguments: Any) -> None:
        """Have the serving loop do it, and wait until it has had a turn for its members, too."""
        assert self.loop is not None  # the caller has found that it is elsewhere
        loop, here = self.loop, asyncio.get_running_loop()
        done: asyncio.Future[None] = here.create_future()

        def tell(error: Exception | None) -> None:
            if not done.done():
                done.set_exception(error) if error else done.set_result(None)

        def answer(error: Exception | None) -> None:
            with contextlib.suppress(RuntimeError):  # the sender waits no more, its loop has ended
                here.call_soon_threadsafe(tell, error)

        def do() -> None:
            error = None
            try:
                work(*arguments)
            except Exception as problem:
                error = problem
            loop.call_soon(answer, error)

        loop.call_soon_threadsafe(do)
        if loop.is_running():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await done
