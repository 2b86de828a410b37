"""The test kit, used as its reference shows it."""

from __future__ import annotations

from typing import Any

import pytest

from realtime import publish, testing
from realtime.roster import Departure
from realtime.testing import LocalHub, ServerAddress, client, joined
from realtime.testing.clock import StandingClock
from realtime.testing.fixtures import local_hub, realtime_server  # noqa: F401
from realtime.testing.local import LocalSeat
from realtime.testing.view import View
from tests.test_house import MODULES, imports


async def test_a_client_expects_what_comes(realtime_server: ServerAddress) -> None:  # noqa: F811
    async with joined(realtime_server, "kitchen", name="Ada") as ada:
        await ada.expect_nothing()
        publish("kitchen", {"temp": 21.5})
        publish("kitchen", {"temp": 22})
        message = await ada.expect("message", data={"temp": 22})
        assert message["offset"] == 2
        await ada.send("message", data="hi", ref=1)
        await ada.expect("ack", ref=1)
        await ada.expect("message", name="Ada")
        await ada.expect_nothing()


async def test_what_did_not_come_is_said_with_what_came(
    realtime_server: ServerAddress,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 0.2)
    async with joined(realtime_server, "kitchen") as ada:
        publish("kitchen", "other")
        with pytest.raises(AssertionError, match=r"no message \{'data': 'this'\}") as failed:
            await ada.expect("message", data="this")
        assert '"data": "other"' in str(failed.value)
        await ada.leave()
        with pytest.raises(AssertionError, match="what came:\nnothing"):
            await ada.expect("message")


async def test_something_is_not_nothing(realtime_server: ServerAddress) -> None:  # noqa: F811
    async with joined(realtime_server, "kitchen") as ada:
        publish("kitchen", 1)
        with pytest.raises(AssertionError, match="something came"):
            await ada.expect_nothing()


async def test_a_view_goes_on_where_it_was(realtime_server: ServerAddress) -> None:  # noqa: F811
    view = View()
    async with joined(realtime_server, "kitchen", view=view, client="a") as ada:
        publish("kitchen", "before")
        await ada.expect("message")
    publish("kitchen", "while away")
    async with joined(realtime_server, "kitchen", view=view, client="a"):
        assert view.recovered == [None, True]
        assert list(view.messages.values()) == ["before", "while away"]


def test_a_clock_stands_until_it_is_told() -> None:
    clock, heard = StandingClock(), list[str]()
    clock.call_at(clock.time() + 30 * 86_400, lambda: heard.append("a month"))
    late = clock.call_at(clock.time() + 1, lambda: heard.append("cancelled"))
    late.cancel()
    clock.call_soon(lambda: heard.append("soon"))
    clock.tick()
    assert heard == ["soon"]
    clock.pass_(30 * 86_400)
    assert heard == ["soon", "a month"]


def test_a_room_of_a_thousand_costs_no_network(local_hub: LocalHub, settings: Any) -> None:  # noqa: F811
    settings.REALTIME_ROSTER_LIMIT = 2_000
    seats = local_hub.fill(1_000)
    assert local_hub.room("kitchen").roster.counts() == (1_000, 1_000)
    assert all(len(seat.view.members) == 1_000 for seat in seats[:10])
    seats[0].goes(Departure.LOST)
    local_hub.clock.pass_(settings.REALTIME_GRACE - 1)
    assert seats[1].view.count["members"] == 1_000
    local_hub.clock.pass_(2)
    assert seats[1].view.count["members"] == 999


def test_the_kit_is_whole_and_the_product_does_without_it() -> None:
    assert all(getattr(testing, name) for name in testing.__all__)
    assert testing.LocalSeat is LocalSeat
    with pytest.raises(AttributeError):
        testing.nothing  # noqa: B018
    product = [path for name, path in MODULES.items() if not name.startswith("realtime.testing")]
    assert [p for p in product if any("realtime.testing" in each for each in imports(p))] == []
