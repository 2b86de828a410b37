"""A month in the life of a kiosk, on a clock that a test moves: nothing drifts, lapses or grows."""

from __future__ import annotations

import datetime
import gc
import random

from django.test import override_settings

from realtime.limits import TokenBucket
from realtime.roster import Departure
from tests.local import LocalHub, LocalSeat
from tests.wire import View

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
HEARTBEAT = 20.0


class Kiosk:
    """A screen that comes back to its room whenever the server does, with what it knew."""

    def __init__(self) -> None:
        self.view = View()
        self.seat: LocalSeat | None = None

    def connect(self, hub: LocalHub) -> LocalSeat:
        resume = (self.view.epoch, self.view.offset) if self.view.epoch else None
        self.view.lost()
        self.seat = hub.seat("screen", view=self.view, resume=resume, recent=1)
        hub.clock.tick()
        return self.seat


def day(hub: LocalHub, kiosk: Kiosk, chance: random.Random) -> int:
    """A value each quarter of an hour, visitors on phones, and an hour of Wi-Fi trouble."""
    said = 0
    for quarter in range(96):
        hub.room("kitchen").publish({"temp": quarter})
        said += 1
        visitor = hub.seat(f"phone-{chance.randrange(1_000)}", name="Guest")
        hub.clock.pass_(chance.uniform(1, 5 * MINUTE))
        visitor.goes(chance.choice(list(Departure)))
        if quarter in (40, 41, 42, 43):
            assert kiosk.seat is not None
            kiosk.seat.goes(Departure.LOST)
            hub.clock.pass_(chance.uniform(0, 14))  # within the grace
            kiosk.connect(hub)
        hub.seat("stranger", f"room-{chance.randrange(10_000)}").goes(Departure.LEAVE)
        hub.clock.pass_(15 * MINUTE - (hub.clock.now % (15 * MINUTE)))
    return said


def sizes(hub: LocalHub) -> dict[str, int]:
    room = hub.rooms["kitchen"]
    return {
        "rooms": len(hub.rooms),
        "seats": len(hub.seats),
        "members": len(room.roster),
        "names": len(room.roster._names._taken),
        "crowds": len(room.roster._names._crowds),
        "owners": len(room.roster._owners),
        "wanted": len(room.roster._wanted),
        "connections": hub.connections,
        "history": len(room.history) <= 100,
        "keyed": len(room.history._keyed),
        "timers": sum(not timer.cancelled for _, _, timer in hub.clock._timers) < 20,
    }


def test_a_month_leaves_what_a_day_leaves() -> None:
    chance, hub, kiosk = random.Random(1), LocalHub(), Kiosk()
    kiosk.connect(hub)
    day(hub, kiosk, chance)
    hub.clock.pass_(HOUR)
    after_a_day = sizes(hub)
    for _ in range(30):
        hub.broadcasts.clear()
        assert kiosk.seat is not None
        kiosk.seat.frames.clear()
        day(hub, kiosk, chance)
    hub.clock.pass_(HOUR)
    assert sizes(hub) == after_a_day
    assert after_a_day["members"] == after_a_day["connections"] == 1
    assert kiosk.view.members.keys() == {"screen"}


def test_nobody_leaves_in_a_month_who_was_never_away_for_longer_than_the_grace() -> None:
    chance, hub, kiosk = random.Random(2), LocalHub(), Kiosk()
    watcher = hub.seat("watcher")
    kiosk.connect(hub)
    for _ in range(30):
        day(hub, kiosk, chance)
    assert "screen" not in watcher.view.left
    assert kiosk.view.resyncs == 0
    assert set(kiosk.view.recovered[1:]) == {True}


def test_pings_come_as_often_on_the_last_day_as_on_the_first() -> None:
    hub, kiosk = LocalHub(), Kiosk()
    kiosk.connect(hub)
    counts = []
    for _ in range(31):
        hub.broadcasts.clear()
        hub.clock.pass_(DAY)
        counts.append(len(hub.of_type("ping")))
    assert set(counts) == {int(DAY / HEARTBEAT)}


def test_a_value_lives_for_its_age_on_the_last_day_too() -> None:
    hub = LocalHub()
    hub.seat("screen")
    hub.clock.pass_(30 * DAY)
    room = hub.rooms["kitchen"]
    room.publish("late")
    hub.clock.pass_(HOUR - 1)
    assert len(room.history.recent(9, now=hub.clock.now)) == 1
    hub.clock.pass_(1)
    assert room.history.recent(9, now=hub.clock.now) == []


def test_a_grace_ends_to_the_second_after_a_month() -> None:
    hub = LocalHub()
    watcher = hub.seat("watcher")
    hub.clock.pass_(30 * DAY)
    hub.seat("phone").goes(Departure.LOST)
    hub.clock.pass_(14.9)
    assert "phone" in hub.rooms["kitchen"].roster
    hub.clock.pass_(0.2)
    assert "phone" not in hub.rooms["kitchen"].roster
    assert watcher.view.left == ["phone"]


def test_a_rate_is_the_same_after_a_month() -> None:
    bucket, now = TokenBucket(20, 40), 0.0
    for _ in range(31):
        taken = sum(bucket.take(now + n / 100) for n in range(1_000))  # 100 a second for 10 s
        assert 238 <= taken <= 241
        now += DAY


def test_rooms_that_nobody_uses_go_away_every_night() -> None:
    hub = LocalHub()
    with override_settings(REALTIME_MAX_ROOMS=50):
        for night in range(30):
            for number in range(50):
                room = hub.room(f"{night}-{number}")
                room.publish("once")
            hub.clock.pass_(DAY)
            assert hub.rooms == {}


def test_a_kiosk_lives_through_a_restart_each_night() -> None:
    """A new process each night: a gap is said, the latest value is shown, the offsets go on."""
    kiosk, chance = Kiosk(), random.Random(3)
    for night in range(30):
        hub = LocalHub()
        hub.room("kitchen").publish({"night": night})
        kiosk.connect(hub)
        assert kiosk.view.recovered[-1] is (None if night == 0 else False)
        assert list(kiosk.view.messages.values())[-1] == {"night": night}
        if night % 5 == 0:
            day(hub, kiosk, chance)
        assert kiosk.view.offset == hub.rooms["kitchen"].history.offset
    gc.collect()
    assert sum(isinstance(each, LocalHub) for each in gc.get_objects()) < 5


def test_the_date_that_is_shown_is_utc_on_the_day_the_clocks_change() -> None:
    hub = LocalHub()
    seat = hub.seat("screen")
    hub.clock.tick()
    hub.rooms["kitchen"].publish(1)
    at = datetime.datetime.fromisoformat(seat.of_type("message")[0]["at"])
    assert at.utcoffset() == datetime.timedelta(0)
