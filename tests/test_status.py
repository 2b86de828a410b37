"""What the operator's page asks for every two seconds, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from django.test import RequestFactory

from realtime import counters, publish
from realtime.hub import serve_here
from realtime.roster import Diff, Member
from realtime.testing import ServerAddress
from realtime.web import status as module
from realtime.web.status import MOST_ROOMS, MOST_SCREENS, memory
from tests.wire import joined, until


@pytest.fixture
async def http(server: ServerAddress) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.http("/api/")) as client:
        yield client


async def status(http: httpx.AsyncClient, query: str = "") -> Any:
    answer = await http.get(f"status/{query}")
    assert answer.status_code == 200
    return answer.json()


async def test_it_counts_who_and_what_is_here(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    async with joined(server, client="a"), joined(server, client="a"), joined(server, client="b"):
        publish("kitchen", 1)
        now = await status(http)
    assert (now["connections"], now["members"]) == (3, 2)
    assert now["rooms"] == {
        "count": 1,
        "found": 1,
        "list": [{"name": "kitchen", "members": 2, "connections": 3, "offset": 1, "kept": 1}],
    }
    assert 0 <= now["uptime"] < 60
    assert now["build"] == serve_here().build


async def test_closes_refusals_and_what_is_slow_are_there(
    server: ServerAddress, http: httpx.AsyncClient
) -> None:
    before = await status(http)
    async with joined(server) as client:
        await client.say("nonsense")
        await client.settle()
        await client.leave()
        await until(lambda: not serve_here().connections)
    now = await status(http)
    assert now["closes"]["1000"] == before["closes"].get("1000", 0) + 1
    assert now["refusals"]["bad_json"] == before["refusals"].get("bad_json", 0) + 1
    assert now["slow"] >= 0
    assert now["lag"]["worst"] >= 0
    assert now["outbox"] == {"sum": 0, "largest": 0, "connections": 0, "slowest": []}


@pytest.mark.parametrize(
    ("room", "path"),
    [("kitchen", "/ws/rooms/kitchen/"), ("poll/drinks", "/ws/examples/poll/drinks/")],
)
async def test_who_reads_slowly_is_named(
    server: ServerAddress, http: httpx.AsyncClient, room: str, path: str
) -> None:
    async with joined(server, path=path, name="Sloth") as client:
        client.socket.transport.pause_reading()
        while not (now := await status(http))["outbox"]["sum"]:
            publish(room, "x" * 60_000)
        [slow] = now["outbox"]["slowest"]
        assert (slow["room"], slow["name"]) == (room, "Sloth")
        assert slow["bytes"] == now["outbox"]["largest"] == now["outbox"]["sum"] > 60_000
        client.vanish()


async def test_rates_and_series_come_with_time(
    server: ServerAddress, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY", 0.02)
    monkeypatch.setattr(module, "_current", None)
    assert (await status(http))["rates"] is None
    async with joined(server) as client:
        while not (now := await status(http, "?series=1"))["series"]["ago"]:
            await client.settle()
    lengths = {len(values) for values in now["series"].values()}
    assert len(lengths) == 1
    assert set(now["rates"]) == {"received", "delivered", "sent_bytes"}
    assert "series" not in await status(http)


async def test_rooms_of_a_kind_are_counted_listed_and_found(http: httpx.AsyncClient) -> None:
    for name in ("user/0123456789abcdef", "quiz/first", "first"):
        publish(name, 1)
    rooms = (await status(http))["rooms"]
    assert rooms["count"] == 3
    assert {room["name"] for room in rooms["list"]} == {
        *("user/0123456789abcdef", "quiz/first", "first")
    }
    found = (await status(http, "?q=quiz/"))["rooms"]["list"]
    assert [room["name"] for room in found] == ["quiz/first"]


async def test_rooms_are_found_by_a_part_of_their_name(http: httpx.AsyncClient) -> None:
    for room in ("Küche", "kitchen", "den"):
        publish(room, 1)
    rooms = (await status(http, "?q=KÜ"))["rooms"]
    assert ([room["name"] for room in rooms["list"]], rooms["found"]) == (["Küche"], 1)
    assert rooms["count"] == 3
    assert (await status(http, "?q=" + "x" * 5000))["rooms"]["found"] == 0


async def test_the_answer_is_of_bounded_size(http: httpx.AsyncClient) -> None:
    for number in range(MOST_ROOMS + 50):
        publish(f"room {number}", 1)
    crowd = [Member(str(n), f"Screen {n}", {"screen": True}) for n in range(MOST_SCREENS + 50)]
    screens = serve_here().screens
    screens.follow("room 1", Diff(joins=crowd), now=0)
    screens.expect("room 1", crowd[-1].id)
    now = await status(http)
    assert (now["rooms"]["count"], len(now["rooms"]["list"])) == (MOST_ROOMS + 50, MOST_ROOMS)
    assert (now["screens"]["count"], len(now["screens"]["list"])) == (
        MOST_SCREENS + 50,
        MOST_SCREENS,
    )
    assert now["screens"]["list"][0]["name"] == crowd[-1].name


async def test_codes_of_all_kinds_do_not_make_it_long(http: httpx.AsyncClient) -> None:
    closes = counters.closes
    before = closes.copy()
    try:
        closes.update(range(3000, 3999))
        counts = (await status(http))["closes"]
        assert len(counts) == module.MOST_CODES + 1
        assert sum(counts.values()) == sum(closes.values())
    finally:
        closes.clear()
        closes.update(before)


async def test_a_screen_is_away_for_the_grace_and_then_missing(
    server: ServerAddress, http: httpx.AsyncClient, settings: Any
) -> None:
    settings.REALTIME_GRACE = 60
    async with joined(server, "lobby", name="Left") as board, joined(server, "lobby") as other:
        await board.send("state", state={"screen": True})
        await other.next("presence")
        here: dict[str, Any] = {"room": "lobby", "member": board.view.member, "name": "Left"}
        here |= {"expected": False, "state": "here", "gone": None}
        assert (await status(http))["screens"]["list"] == [here]
        serve_here().screens.expect("lobby", board.view.member)
        board.vanish()
        await until(lambda: [each.lost_at for each in serve_here().screens] != [None])
        screens = (await status(http))["screens"]
        assert (screens["missing"], screens["list"][0]["state"]) == (0, "away")
        settings.REALTIME_GRACE = 0
        screens = (await status(http))["screens"]
        assert (screens["missing"], screens["list"][0]["state"]) == (1, "missing")
        assert screens["list"][0]["gone"] >= 0


async def test_it_is_for_the_operator_only(http: httpx.AsyncClient, settings: Any) -> None:
    assert (await http.get("status/", headers={"X-Forwarded-For": "1.2.3.4"})).status_code == 403
    settings.REALTIME_API_TOKEN = "secret"
    answer = await http.get("status/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "access")
    assert (await http.get("status/", headers={"Authorization": "Bearer secret"})).is_success
    assert (await http.post("status/")).status_code == 405


async def test_asking_ever_so_often_starts_one_sampler(http: httpx.AsyncClient) -> None:
    for _ in range(5):
        await status(http)
    first = module._current
    await status(http)
    assert module._current is first


async def test_another_loop_has_samples_of_its_own() -> None:
    await module.status(RequestFactory().get("/api/status/"))
    sampler = module._current
    assert sampler is not None
    assert sampler.hub is serve_here()


def test_memory_is_read_or_not_known(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    statm = tmp_path / "statm"
    monkeypatch.setattr(module, "STATM", statm)
    assert memory() is None
    statm.write_text("9 3 1 0 0 2 0\n")
    assert memory() == 3 * module.PAGE
    statm.write_text("")
    assert memory() is None
