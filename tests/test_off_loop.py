"""Work by a thread of its own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.off_loop import in_thread


async def test_the_result_comes_back_from_another_thread() -> None:
    assert await in_thread(threading.get_ident) != threading.get_ident()


async def test_its_error_is_the_callers() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 / 0)


async def test_who_does_not_wait_to_the_end_is_let_go() -> None:
    go_on, done = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(10)
        done.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await in_thread(work)
    go_on.set()
    assert await asyncio.to_thread(done.wait, 10)


def test_a_loop_that_has_ended_hears_nothing_of_it() -> None:
    go_on = threading.Event()

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await in_thread(lambda: go_on.wait(10))

    asyncio.run(leave())
    [thread] = [thread for thread in threading.enumerate() if thread.name == "off loop"]
    assert thread.daemon  # Python does not wait for it at its end
    go_on.set()
    thread.join(10)
