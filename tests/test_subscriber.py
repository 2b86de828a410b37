"""A consumer's mailbox as the layer fills it; see test_layers.py for slow ones among others."""

from __future__ import annotations

import pytest

from realtime import subscriber as module
from realtime.mailbox import Mailbox
from realtime.subscriber import BURST, Subscriber
from tests.peers import until


def make(overflows: list[str], capacity: int = 4) -> Subscriber:
    return Subscriber(Mailbox(), capacity, None, lambda: overflows.append("now"))


def test_it_says_when_its_mailbox_is_half_full() -> None:
    subscriber = make([])
    assert [subscriber.deliver({"type": "a"}) for _ in range(3)] == [False, True, True]


async def test_above_its_capacity_it_has_a_while_to_catch_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.01)
    overflows: list[str] = []
    subscriber = make(overflows)
    for _ in range(5):
        subscriber.deliver({"type": "a"})
    assert overflows == []
    await until(lambda: overflows == ["now"])


async def test_a_multiple_of_its_capacity_is_too_much_at_once() -> None:
    overflows: list[str] = []
    subscriber = make(overflows)
    for _ in range(4 * BURST + 1):
        subscriber.deliver({"type": "a"})
    assert overflows == ["now"]
    subscriber.stop()


async def test_who_has_stopped_is_not_judged_any_more() -> None:
    subscriber = make([])
    for _ in range(5):
        subscriber.deliver({"type": "a"})
    subscriber.stop()
    assert subscriber.timer is not None
    assert subscriber.timer.cancelled()
