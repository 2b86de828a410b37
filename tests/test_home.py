"""Calls into the loop that serves; the layer's tests send through it from threads and loops."""

from __future__ import annotations

import asyncio
import threading

import pytest

from realtime.home import Home


def in_another_loop(home: Home, work: object, *arguments: object) -> object:
    async def call() -> bool:
        assert home.is_elsewhere
        await home.run(work, *arguments)  # type: ignore[arg-type]
        return True

    return asyncio.run(call())


async def test_nobody_is_elsewhere_before_a_loop_is_bound() -> None:
    home = Home()
    assert not home.is_elsewhere
    home.bind()
    assert not home.is_elsewhere


async def test_work_from_another_loop_is_done_in_the_one_that_serves() -> None:
    home, where = Home(), []
    home.bind()
    await asyncio.to_thread(in_another_loop, home, lambda: where.append(threading.get_ident()))
    assert where == [threading.get_ident()]


async def test_what_it_raises_is_raised_in_the_caller() -> None:
    home = Home()
    home.bind()
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(in_another_loop, home, divmod, 1, 0)


def test_a_loop_that_has_ended_serves_no_more() -> None:
    home = Home()

    async def serve() -> None:
        home.bind()

    async def call() -> bool:
        return home.is_elsewhere

    asyncio.run(serve())
    assert not asyncio.run(call())
