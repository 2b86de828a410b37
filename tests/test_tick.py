"""The end of a tick: who wrote in it is flushed once, in order, whatever others do."""

from __future__ import annotations

import asyncio

from realtime.tick import Tick
from tests.peers import turn


class Recorder:
    def __init__(self, name: str, flushed: list[str]) -> None:
        self.name, self.flushed = name, flushed

    def flush(self) -> None:
        if self.name == "broken":
            raise RuntimeError("a bug")
        self.flushed.append(self.name)


async def test_all_are_flushed_at_the_end_in_the_order_in_which_they_came() -> None:
    flushed: list[str] = []
    tick = Tick.of(asyncio.get_running_loop())
    for name in ("a", "b", "c"):
        tick.add(Recorder(name, flushed))
    assert flushed == []
    await turn()
    assert flushed == ["a", "b", "c"]
    await turn()
    assert flushed == ["a", "b", "c"]


async def test_a_flush_that_fails_does_not_stop_the_others(logged: list[str]) -> None:
    flushed: list[str] = []
    tick = Tick.of(asyncio.get_running_loop())
    for name in ("a", "broken", "b"):
        tick.add(Recorder(name, flushed))
    await turn()
    assert flushed == ["a", "b"]
    assert "A connection could not be written to" in logged


def test_each_loop_has_a_tick_of_its_own() -> None:
    async def tick() -> Tick:
        one = Tick.of(asyncio.get_running_loop())
        assert Tick.of(asyncio.get_running_loop()) is one
        return one

    assert asyncio.run(tick()) is not asyncio.run(tick())
