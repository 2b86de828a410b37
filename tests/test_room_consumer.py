"""The wire, on a real server: each frame that comes is checked against docs/schema."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import re_path

from realtime import counters, publish, roster, user_room
from realtime.codec import BadMessage
from realtime.codes import CloseCode, ErrorCode
from realtime.hub import serve_here
from realtime.identity import DEVICE_COOKIE, new_device
from realtime.messages import ClientMessage
from realtime.names import NameRefused
from realtime.room_consumer import Refused, RoomConsumer
from realtime.routing import websocket_router, websocket_urlpatterns
from realtime.testing import ServerAddress, serving
from tests.test_codec import DEEP, HOSTILE
from tests.wire import Client, Frame, View, joined, opened, room_url, until, valid


@pytest.fixture(autouse=True)
def _told_at_once(settings: Any) -> None:
    """Gathering in a storm is tested with a standing clock."""
    settings.REALTIME_PRESENCE_INTERVAL = 0


def members(room: str = "kitchen") -> dict[str, tuple[int, bool]]:
    return {member.name: (member.connections, member.away) for member in roster(room)}


@contextlib.asynccontextmanager
async def custom(consumer: type[RoomConsumer]) -> AsyncIterator[ServerAddress]:
    """A server whose rooms are the consumer's."""
    patterns = [re_path(r"^ws/rooms/(?P<room>[^/]+)/?$", consumer.as_asgi())]
    async with serving(websocket_router(patterns), lifespan="off") as server:
        yield server


async def error(client: Client) -> Frame:
    return await client.next("error")


# Coming.


@pytest.mark.parametrize("slash", ["/", ""])
async def test_both_spellings_of_an_address_connect(server: ServerAddress, slash: str) -> None:
    async with opened(server.ws(f"/ws/rooms/kitchen{slash}")) as client:
        assert (await client.frame())["type"] == "welcome"


async def test_a_room_may_be_called_anything_that_can_be_read(server: ServerAddress) -> None:
    for name in ["Küche 🍕", "غرفة", "a" * 64, "50%"]:
        async with joined(server, name) as client:
            assert client.welcome["room"] == name


async def test_two_spellings_of_one_name_are_one_room(server: ServerAddress) -> None:
    async with joined(server, "Küche"), joined(server, "Ku\u0308che") as client:
        assert client.welcome["count"]["members"] == 2


@pytest.mark.parametrize("name", ["a" * 65, "a\x00b", "\u202eevil", "..", " ", "\u200b", "a\\b"])
async def test_a_room_that_cannot_be_is_refused_for_good_and_in_words(
    server: ServerAddress, name: str
) -> None:
    async with opened(room_url(server, name)) as client:
        code, reason, (bye,) = await client.until_closed()
    assert code == CloseCode.PROTOCOL
    assert "room name" in reason
    assert (bye["type"], bye["reconnect"]) == ("bye", False)
    assert bye["reason"].startswith(reason)


async def test_what_of_an_address_cannot_be_used_is_said_after_the_welcome(
    server: ServerAddress,
) -> None:
    async with joined(server, name="a\x00b", history="all", offset="x") as client:
        problems = [await error(client) for _ in range(3)]
        assert {p["path"]: p["code"] for p in problems} == {
            "name": "bad_name",
            "history": "bad_shape",
            "offset": "bad_shape",
        }
        await works(client)


@pytest.mark.parametrize(
    "query",
    [
        "name=%ff%fe",
        "name=%ED%A0%80",
        "client=%ff",
        "client=%ED%A0%80",
        "epoch=%ff&offset=1",
        "name=a&name=b&history=1&history=2",
        "name=" + "a" * 60_000,
        "client=" + "a" * 60_000,
        "history=" + "9" * 5_000,
        "history=1e400",
        "offset=-1&epoch=%00",
        "offset=99999999999999999999",
        "__proto__=1&constructor=2",
        "&&&===&%&%zz",
        "name=%F0%9F%8D%95&client=%00",
    ],
    ids=lambda query: query[:30],
)
async def test_no_query_keeps_anybody_out(server: ServerAddress, query: str) -> None:
    async with opened(f"{server.ws('/ws/rooms/kitchen/')}?{query}") as client:
        assert (await client.frame())["type"] == "welcome"
        await works(client)


async def works(client: Client) -> None:
    """A good message is answered, whatever came before."""
    await client.send("message", data="good", ref="works")
    while (frame := await client.frame())["type"] != "ack":
        assert frame["type"] in ("error", "message", "presence")
    assert frame["ref"] == "works"
    await client.next("message")


async def test_fifty_join_under_a_storm_of_messages_and_nothing_is_lost_or_doubled(
    server: ServerAddress,
) -> None:
    async def storm() -> None:
        for n in range(300):
            publish("kitchen", n)
            await asyncio.sleep(0)

    async with contextlib.AsyncExitStack() as stack:
        storming = asyncio.create_task(storm())
        arriving = [joined(server, history=n) for n in range(50)]
        clients = await asyncio.gather(*map(stack.enter_async_context, arriving))
        await storming
        for client in clients:
            await client.settle()
            assert client.view.offset == 300
            assert set(client.view.members) == {member.id for member in roster("kitchen")}


# Messages.


async def test_a_message_goes_to_everyone_the_sender_too(server: ServerAddress) -> None:
    async with joined(server, name="Ada") as ada, joined(server, name="Bob") as bob:
        await ada.send("message", data={"text": "hi"})
        for client in (ada, bob):
            message = await client.next("message")
            assert (message["name"], message["member"]) == ("Ada", ada.view.member)
            assert (message["offset"], message["data"]) == (1, {"text": "hi"})
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", message["at"])


@pytest.mark.parametrize("ref", ["r-1", 7, -7, "", 0, "é" * 64, 2**53 - 1])
async def test_a_ref_is_acknowledged_before_the_message_comes(
    server: ServerAddress, ref: str | int
) -> None:
    async with joined(server) as client:
        await client.send("message", data=1, ref=ref)
        frames = [await client.frame(), await client.frame()]
        assert frames[0] == {"type": "ack", "ref": ref, "offset": 1}
        assert frames[1]["type"] == "message"


async def test_a_ref_that_is_repeated_after_a_resume_is_acknowledged_and_not_delivered_again(
    server: ServerAddress,
) -> None:
    view = View()
    async with joined(server) as witness:
        async with joined(server, client="c", view=view) as client:
            await client.send("message", data="once", ref=1)
            await witness.next("message")  # it was taken; the sender has heard nothing of it
            client.vanish()
        async with joined(server, client="c", view=view) as client:
            await client.send("message", data="once", ref=1)
            assert await client.next("ack") == {"type": "ack", "ref": 1, "offset": 1}
            await client.send("message", data="twice", ref=2)
            assert (await client.next("ack"))["offset"] == 2
        assert (await witness.next("message"))["data"] == "twice"


async def test_what_a_lost_socket_had_sent_may_arrive_after_its_successors_repetition(
    server: ServerAddress,
) -> None:
    async with joined(server, client="c") as lost:
        view = View()
        view.epoch, view.offset = lost.view.epoch, lost.view.offset
        async with joined(server, client="c", view=view) as successor:
            await successor.send("message", data="once", ref=1)
            await successor.next("message")
            await lost.send("message", data="once", ref=1)
            assert await lost.next("ack") == {"type": "ack", "ref": 1, "offset": 1}
            assert len(serve_here().rooms["kitchen"].history) == 1


async def test_or_between_its_welcome_and_its_repetition(server: ServerAddress) -> None:
    async with joined(server, client="c") as lost:
        view = View()
        view.epoch, view.offset = lost.view.epoch, lost.view.offset
        async with joined(server, client="c", view=view) as successor:
            await lost.send("message", data="once", ref=1)
            await successor.next("message")
            await successor.send("message", data="once", ref=1)
            assert (await successor.next("ack"))["offset"] == 1


async def test_or_when_its_successor_has_gone_again(server: ServerAddress) -> None:
    async with joined(server, client="c") as lost:
        view = View()
        view.epoch, view.offset = lost.view.epoch, lost.view.offset
        async with joined(server, client="c", view=view) as successor:
            await successor.send("message", data="once", ref=1)
            await successor.next("message")
        await lost.send("message", data="once", ref=1)
        assert (await lost.next("ack"))["offset"] == 1


async def test_a_repetition_is_known_by_who_knows_only_an_earlier_room_of_the_name(
    server: ServerAddress,
) -> None:
    """As after a restart, when the network fails before the welcome was read, and once more."""
    before: dict[str, Any] = {"client": "c", "epoch": "before-the-restart", "offset": 100}
    async with joined(server) as witness:
        async with opened(room_url(server, "kitchen", **before)) as client:
            await client.send("message", data="once", ref=1)
            await witness.next("message")
            client.vanish()
        async with opened(room_url(server, "kitchen", **before)) as client:
            await client.send("message", data="once", ref=1)
            assert (await client.next("ack"))["offset"] == 1


async def test_a_repetition_is_known_though_another_tab_has_used_its_number(
    server: ServerAddress,
) -> None:
    view = View()
    async with joined(server, client="c") as other:
        async with joined(server, client="c", view=view) as client:
            await client.send("message", data="once", ref=1)
            await other.next("message")
            client.vanish()
        await other.send("message", data="something else", ref=1)
        assert (await other.next("ack"))["offset"] == 2
        async with joined(server, client="c", view=view) as client:
            await client.send("message", data="once", ref=1)
            assert (await client.next("ack"))["offset"] == 1


async def test_two_tabs_that_number_their_messages_alike_are_both_heard(
    server: ServerAddress,
) -> None:
    async with joined(server, client="c") as one, joined(server, client="c") as two:
        for n, tab in enumerate((one, two, one), 1):
            await tab.send("message", data="+1", ref=1)
            assert (await tab.next("ack"))["offset"] == n


async def test_a_tab_that_came_back_is_heard_when_another_has_used_the_number(
    server: ServerAddress,
) -> None:
    view = View()
    async with joined(server, client="c") as one, joined(server, client="c", view=view) as two:
        await one.send("message", data="+1", ref=5)
        await two.next("message")
        two.vanish()
        async with joined(server, client="c", view=view) as again:
            await again.send("message", data="+1", ref=5)
            assert (await again.next("ack"))["offset"] == 2


async def test_a_page_that_was_loaded_anew_may_number_from_one_again(
    server: ServerAddress,
) -> None:
    for n in (1, 2):
        async with joined(server, client="c") as client:
            await client.send("message", data="+1", ref=1)
            assert (await client.next("ack"))["offset"] == n


async def test_who_sends_and_goes_at_once_is_heard_by_name(server: ServerAddress) -> None:
    async with joined(server) as witness:
        async with joined(server, name="Ada") as ada:
            await ada.send("message", data="bye", ref=1)
            await ada.leave()
        assert (await witness.next("message"))["name"] == "Ada"
        while not witness.view.left:
            await witness.next("presence")


# Signals.


async def test_a_signal_goes_to_everyone_else(server: ServerAddress) -> None:
    async with joined(server) as ada, joined(server) as bob:
        await ada.send("signal", data={"typing": True})
        signal = await bob.next("signal")
        assert signal == {"type": "signal", "member": ada.view.member, "data": {"typing": True}}
        assert "signal" not in [frame["type"] for frame in await ada.settle()]


async def test_a_signal_to_one_member_is_heard_by_nobody_else(server: ServerAddress) -> None:
    async with joined(server) as ada, joined(server) as bob, joined(server) as cleo:
        await ada.send("signal", data="psst", to=bob.view.member)
        assert (await bob.next("signal"))["data"] == "psst"
        assert "signal" not in [frame["type"] for frame in await cleo.settle()]


async def test_a_signal_to_oneself_reaches_all_ones_tabs(server: ServerAddress) -> None:
    async with joined(server, client="c") as one, joined(server, client="c") as two:
        await one.send("signal", data=1, to=one.view.member)
        assert (await one.next("signal"))["data"] == (await two.next("signal"))["data"] == 1


async def test_a_signal_to_nobody_is_an_error_and_never_ends_a_socket(
    server: ServerAddress, settings: Any
) -> None:
    settings.REALTIME_RATE_BURST = 100
    async with joined(server) as client:
        for _ in range(30):  # cursors sent to somebody who has just left
            await client.send("signal", data=1, to="nobody")
            frame = await error(client)
            assert (frame["code"], frame["path"]) == ("unknown_member", "$.to")
        await works(client)


# State.


async def test_state_is_merged_and_shown_to_all(server: ServerAddress) -> None:
    async with joined(server) as ada, joined(server) as bob:
        await ada.send("state", state={"hand": "up", "mood": {"a": 1}})
        await ada.send("state", state={"hand": None, "mood": {"b": 2}})
        await ada.settle()
        while bob.view.members[ada.view.member]["state"] != {"mood": {"a": 1, "b": 2}}:
            await bob.next("presence")


async def test_a_state_that_is_too_large_is_refused_and_the_old_one_stays(
    server: ServerAddress,
) -> None:
    async with joined(server) as client:
        await client.send("state", state={"hand": "up"})
        await client.send("state", state={"text": "a" * 2048})
        frame = await error(client)
        assert (frame["code"], frame["path"]) == ("too_large", "$.state")
        assert "2048" in frame["detail"]
        assert roster("kitchen")[0].state == {"hand": "up"}


async def test_keys_of_a_prototype_are_keys_like_others(server: ServerAddress) -> None:
    state = {"__proto__": {"admin": True}, "constructor": 1}
    async with joined(server) as client:
        await client.send("state", state=state)
        await client.settle()
        assert roster("kitchen")[0].state == state


# Resync.


async def test_a_resync_is_answered_with_the_roster(server: ServerAddress) -> None:
    async with joined(server, name="Ada") as client:
        await client.send("message", data=1)
        await client.next("message")
        client.view.members.clear()
        await client.send("resync")
        await client.next("welcome")  # the view checks that it takes no message on
        assert [member["name"] for member in client.view.members.values()] == ["Ada"]


# Going.


async def until_gone(witness: Client, member: str) -> None:
    while member not in witness.view.left:
        await witness.next("presence")


async def test_leave_is_for_good_and_answered_with_bye(server: ServerAddress) -> None:
    async with joined(server) as witness, joined(server) as client:
        await client.send("leave")
        code, _, frames = await client.until_closed()
        assert code == 1000
        assert (frames[-1]["type"], frames[-1]["reconnect"]) == ("bye", False)
        await until_gone(witness, client.view.member)


async def test_close_1000_is_for_good(server: ServerAddress) -> None:
    async with joined(server) as witness, joined(server) as client:
        await client.leave(1000)
        await until_gone(witness, client.view.member)


async def test_a_reload_shows_nothing(server: ServerAddress) -> None:
    async with joined(server) as witness:
        for _ in range(3):
            async with joined(server, client="c", name="Ada") as client:
                await client.leave(1001)
        assert members()["Ada"] == (1, False)
        await witness.settle()
        assert (len(witness.view.joined), witness.view.left) == (1, [])


async def test_who_vanishes_is_away_and_comes_back_with_all_that_was_missed(
    server: ServerAddress,
) -> None:
    view = View()
    async with joined(server) as witness:
        async with joined(server, client="c", name="Ada", view=view) as client:
            client.vanish()
        while not witness.view.members.get(view.member, {}).get("away"):
            await witness.next("presence")
        assert members()["Ada"] == (0, True)
        for n in range(5):
            publish("kitchen", n)
        async with joined(server, client="c", view=view) as client:
            assert view.recovered == [None, True]
            assert list(view.messages.values()) == [0, 1, 2, 3, 4]
            assert members()["Ada"] == (1, False)
            await witness.settle()
    assert (witness.view.joined, witness.view.left) == ([view.member], [])


async def test_three_tabs_are_one_member(server: ServerAddress) -> None:
    async with joined(server) as witness:
        async with contextlib.AsyncExitStack() as tabs:
            for _ in range(3):
                client = await tabs.enter_async_context(joined(server, client="c", name="Ada"))
            assert members()["Ada"] == (3, False)
        await until_gone(witness, client.view.member)
        await witness.settle()
        assert (len(witness.view.joined), len(witness.view.left)) == (1, 1)


async def test_after_all_have_gone_nothing_is_left(server: ServerAddress) -> None:
    async with joined(server), joined(server) as client:
        await client.send("leave")
        await client.until_closed()
    hub = serve_here()
    await until(lambda: not hub.rooms)
    assert hub.connections == 0


# Who is who.


async def test_the_device_cookie_counts_for_more_than_client(server: ServerAddress) -> None:
    headers = {"Cookie": f"{DEVICE_COOKIE}={new_device()}"}
    async with (
        joined(server, client="a", headers=headers) as one,
        joined(server, client="b", headers=headers) as two,
    ):
        assert one.view.member == two.view.member


async def test_a_public_id_is_no_way_to_be_somebody(server: ServerAddress) -> None:
    async with (
        joined(server, client="secret") as ada,
        joined(server, client=ada.view.member) as eve,
        joined(server, headers={"Cookie": f"{DEVICE_COOKIE}={ada.view.member}"}) as mallory,
    ):
        assert len({ada.view.member, eve.view.member, mallory.view.member}) == 3


async def test_names_are_unique_in_a_room_and_made_up_without_one(server: ServerAddress) -> None:
    async with joined(server, name="Ada"), joined(server, name="ada") as second:
        assert second.view.members[second.view.member]["name"] == "ada 2"
        async with joined(server) as third:
            assert re.fullmatch(r"\w+ \w+", third.view.members[third.view.member]["name"])


async def test_who_joins_again_by_another_name_is_renamed_on_every_tab(
    server: ServerAddress,
) -> None:
    async with (
        joined(server, client="c", name="Ada") as one,
        joined(server, client="c", name="Lady L"),
    ):
        while one.view.members[one.view.member]["name"] != "Lady L":
            await one.next("presence")


@pytest.mark.django_db(transaction=True)
async def test_a_logged_in_user_is_one_member_on_every_device_and_is_notified_on_all(
    server: ServerAddress,
) -> None:
    user, headers = await database_sync_to_async(_logged_in)("ada")
    async with contextlib.AsyncExitStack() as stack:
        devices = []
        for _ in range(2):
            client = await stack.enter_async_context(
                opened(server.ws("/ws/notifications/"), headers=headers)
            )
            assert (await client.frame())["type"] == "welcome"
            devices.append(client)
        receipt = publish(user_room(user), {"text": "Your order has shipped."})
        assert receipt is not None
        assert receipt.receivers == 2
        for client in devices:
            assert (await client.next("message"))["data"]["text"].endswith("shipped.")
        await devices[0].send("message", data="hi", ref=3)
        refused = await error(devices[0])
        assert (refused["code"], refused["ref"]) == ("forbidden", 3)
        async with joined(server, headers=headers, client="x", name="Not Ada") as seated:
            assert seated.view.member == devices[0].view.member
            assert members() == {"ada": (1, False)}


def _logged_in(name: str) -> tuple[User, dict[str, str]]:
    user, browser = User.objects.create_user(name), Browser()
    browser.force_login(user)
    return user, {"Cookie": browser.cookies.output(header="", sep=";").strip()}


async def test_notifications_need_a_login(server: ServerAddress) -> None:
    async with opened(server.ws("/ws/notifications/")) as client:
        code, reason, (bye,) = await client.until_closed()
        assert (code, reason) == (4401, "Log in first.")
        assert (bye["reason"], bye["reconnect"]) == ("Log in first.", False)


# Bad frames.

BAD: dict[str, tuple[str | bytes, str, str]] = {
    name: (frame, code, path)
    for name, (frame, code, path, _) in HOSTILE.items()
    # What no WebSocket library can send as text.
    if isinstance(frame, str) and not re.search("[\ud800-\udfff]", frame)
} | {
    "bytes": (b"{}", "binary", "$"),
    "deep": (f'{{"type":"message","data":{DEEP}}}', "too_deep", "$.data"),
    "a deep state": (
        '{"type":"state","state":{"a":' + "[" * 40 + "]" * 40 + "}}",
        "too_deep",
        "$.state",
    ),
    "an unknown type": ('{"type":"nobody_handles_it"}', "unknown_type", "$.type"),
    "a private attribute": ('{"type":"enter"}', "unknown_type", "$.type"),
    "a long type": ('{"type":"' + "a" * 60_000 + '"}', "unknown_type", "$.type"),
    "a long to": (
        '{"type":"signal","data":1,"to":"' + "a" * 60_000 + '"}',
        "bad_shape",
        "$.to",
    ),
    "1e400 in a state": ('{"type":"state","state":{"a":1e400}}', "bad_json", "$.state"),
    "10**400 as a state": (
        '{"type":"state","state":' + str(10**400) + "}",
        "bad_shape",
        "$.state",
    ),
    "10**400 as a ref": (
        '{"type":"message","data":1,"ref":' + str(10**400) + "}",
        "bad_shape",
        "$.ref",
    ),
}


async def test_every_bad_frame_is_answered_with_code_and_path_and_the_socket_lives(
    server: ServerAddress, settings: Any
) -> None:
    settings.REALTIME_RATE_LIMIT = settings.REALTIME_RATE_BURST = 10_000
    async with joined(server) as client:
        for name, (frame, code, path) in BAD.items():
            await client.say(frame)
            answer = await error(client)
            assert (answer["code"], answer["path"]) == (code, path), name
            assert len(answer["detail"]) < 400
            await works(client)


GOOD: list[dict[str, Any]] = [
    {"data": {"__proto__": {"admin": True}, "constructor": {"prototype": 1}}},
    {"data": "\u202eevil\u2066\u0000\ufeff"},
    {"data": 10**400},
    {"data": [[[]] * 3, {"": None}]},
    {"data": "🍕" * 1000, "ref": "\u202e\u0000"},
    {"data": None, "ref": "__proto__", "extra": "ignored", "__proto__": 1},
]


async def test_odd_data_comes_through_as_it_was(server: ServerAddress) -> None:
    async with joined(server) as client:
        for fields in GOOD:
            await client.send("message", **fields)
            assert (await client.next("message"))["data"] == fields["data"]


async def test_twenty_bad_frames_in_a_row_end_it_for_good(server: ServerAddress) -> None:
    async with joined(server) as client:
        for _ in range(20):
            await client.say("not JSON")
        code, reason, frames = await client.until_closed()
        assert (code, [f["type"] for f in frames[-2:]]) == (4400, ["error", "bye"])
        assert "in a row" in reason
        assert frames[-1]["reconnect"] is False
        assert len(frames) == 21
    assert members() == {}


async def test_a_good_frame_in_between_forgives(server: ServerAddress, settings: Any) -> None:
    settings.REALTIME_RATE_BURST = 100
    async with joined(server) as client:
        for n in range(1, 40):
            await client.say('{"type":"pong"}' if n % 20 == 0 else "not JSON")
        assert len(await client.settle()) == 38


# Too much.


async def test_too_many_messages_are_answered_with_their_ref(
    server: ServerAddress, settings: Any
) -> None:
    settings.REALTIME_RATE_BURST = 3
    async with joined(server) as client:
        for n in range(5):
            await client.send("signal" if n == 3 else "message", data=n, ref=n)
        first, second = await error(client), await error(client)
        assert (first["code"], "ref" in first) == ("rate", False)  # a signal has none
        assert (second["code"], second["ref"]) == ("rate", 4)
        assert re.search(r"Wait 0\.\d\d s", second["detail"])
        assert client.view.offset == 3


async def test_a_flood_is_ended_and_may_come_back_later(server: ServerAddress) -> None:
    async with joined(server) as witness, joined(server) as client:
        for n in range(100):
            await client.send("message", data=n)
        code, _, frames = await client.until_closed()
        assert (code, frames[-1]["type"], frames[-1]["reconnect"]) == (4529, "bye", True)
        assert len([frame for frame in frames if frame["type"] == "error"]) == 20
        await witness.settle()
        assert witness.view.offset == 40
        await works(witness)


async def test_too_many_now_and_then_are_forgiven(
    server: ServerAddress, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    settings.REALTIME_RATE_BURST = 1
    monkeypatch.setattr("realtime.room_consumer._now", lambda: now[0])
    async with joined(server) as client:
        for n in range(1, 31):
            now[0] += 1
            await client.send("message", data=n)
            await client.send("message", data="too many")
            assert (await error(client))["code"] == "rate"
        assert client.view.offset == 30


async def test_a_message_that_is_too_large_ends_it_with_1009(
    server: ServerAddress, settings: Any
) -> None:
    settings.REALTIME_MAX_MESSAGE_SIZE = 1000
    async with joined(server) as witness, joined(server) as client:
        await client.send("message", data="a" * 1001)
        assert (await client.until_closed())[0] == 1009
        while not witness.view.members.get(client.view.member, {}).get("away"):
            await witness.next("presence")  # it may come back, and with less


@pytest.mark.parametrize(
    ("setting", "room", "words"),
    [
        ("REALTIME_MAX_MEMBERS", "kitchen", "This room holds 1 connection."),
        ("REALTIME_MAX_CONNECTIONS", "den", "This server holds 1 connection."),
        ("REALTIME_MAX_ROOMS", "den", "This server holds 1 room, and not one is free."),
    ],
)
async def test_what_is_full_says_so_and_may_be_tried_again(
    server: ServerAddress, settings: Any, setting: str, room: str, words: str
) -> None:
    setattr(settings, setting, 1)
    async with joined(server):
        async with opened(room_url(server, room)) as client:
            code, reason, (bye,) = await client.until_closed()
            assert (code, reason) == (4503, words)
            assert (bye["reason"], bye["reconnect"]) == (words, True)
        assert list(serve_here().rooms) == ["kitchen"]


async def test_refusals_and_closes_are_counted(server: ServerAddress) -> None:
    refusals, closes = counters.refusals.copy(), counters.closes.copy()
    async with joined(server) as client:
        for _ in range(20):
            await client.say("not JSON")
        await client.until_closed()
    async with joined(server, name=" ") as client:
        await client.send("leave")
        await client.until_closed()
    await until(lambda: counters.closes.total() - closes.total() == 2)
    assert counters.refusals - refusals == {"bad_json": 20, "bad_name": 1}
    assert counters.closes - closes == {4400: 1, 1000: 1}


# A room of one's own.


class Quiz(RoomConsumer):
    on_air = True  # no method, so not to be reached

    async def authorize(self, action: str, message: ClientMessage | None = None) -> None:
        if action == "join" and self.room_name() == "secret":
            raise Refused("You are not on the list.")
        if action == "join" and self.room_name() == "odd":
            raise Refused("Not today.", code=4410)
        if action in ("quiz_reset", "signal"):
            raise Refused("Only the teacher may do that.")

    async def on_buzz(self, message: dict[str, Any]) -> None:
        self.publish({"buzz": self.name, **message})

    async def on_quiz_reset(self, message: dict[str, Any]) -> None:
        self.publish("reset")

    async def on_whoami(self, message: dict[str, Any]) -> None:
        self.tell({"type": "ack", "ref": self.name, "offset": 0})

    async def on_pick(self, message: dict[str, Any]) -> None:
        raise BadMessage(ErrorCode.BAD_SHAPE, "There is no such answer.", path="$.answer")

    async def on_bug(self, message: dict[str, Any]) -> None:
        raise ZeroDivisionError

    async def on_no_json(self, message: dict[str, Any]) -> None:
        self.publish(object())

    async def on_done(self, message: dict[str, Any]) -> None:
        await self.close(4001, "The quiz is over.")

    async def on_close(self, message: dict[str, Any]) -> None:
        await self.close()

    async def on_slow(self, message: dict[str, Any]) -> None:
        self.tell({"type": "ack", "ref": "slow", "offset": 0})
        await self.gate.wait()

    gate: asyncio.Event


async def test_a_type_reaches_its_handler(server: ServerAddress) -> None:
    async with custom(Quiz) as server, joined(server, name="Ada") as client:
        await client.send("buzz", team=3)
        assert (await client.next("message"))["data"] == {"buzz": "Ada", "type": "buzz", "team": 3}
        await client.send("whoami")
        assert (await client.next("ack"))["ref"] == "Ada"


@pytest.mark.parametrize("kind", ["air", "connect", "publish", "left", "handle", "nothing"])
async def test_nothing_but_a_handler_can_be_reached(kind: str) -> None:
    async with custom(Quiz) as server, joined(server) as client:
        await client.send(kind, ref=1)
        frame = await error(client)
        assert (frame["code"], frame["path"], frame["ref"]) == ("unknown_type", "$.type", 1)


async def test_who_may_not_join_is_told_so_after_the_handshake() -> None:
    async with custom(Quiz) as server, opened(room_url(server, "secret")) as client:
        code, reason, (bye,) = await client.until_closed()
        assert (code, reason) == (4403, "You are not on the list.")
        assert (bye["reason"], bye["reconnect"]) == (reason, False)
        assert serve_here().rooms == {}


async def test_a_final_code_of_ones_own_is_final() -> None:
    async with custom(Quiz) as server, opened(room_url(server, "odd")) as client:
        code, _, (bye,) = await client.until_closed()
        assert (code, bye["reconnect"]) == (4410, False)


@pytest.mark.parametrize("kind", ["quiz.reset", "quiz-reset", "quiz_reset"])
async def test_who_may_not_speak_gets_an_error_however_it_is_spelt(kind: str) -> None:
    async with custom(Quiz) as server, joined(server) as client:
        await client.send(kind, ref=7)
        frame = await error(client)
        assert (frame["code"], frame["ref"]) == ("forbidden", 7)
        assert frame["detail"] == "Only the teacher may do that."
        assert client.view.offset == 0


async def test_a_handlers_own_refusal_has_its_code_path_and_ref() -> None:
    async with custom(Quiz) as server, joined(server) as client:
        await client.send("pick", ref=7)
        frame = await error(client)
        assert (frame["code"], frame["path"], frame["ref"]) == ("bad_shape", "$.answer", 7)


@pytest.mark.parametrize("kind", ["bug", "no_json"])
async def test_a_bug_is_one_traceback_and_an_id_for_the_browser(
    logged: list[str], kind: str
) -> None:
    async with custom(Quiz) as server, joined(server) as witness, joined(server) as client:
        await client.send(kind)
        code, reason, frames = await client.until_closed()
        assert code == 1011
        error, bye = frames[-2:]
        assert (error["type"], error["code"]) == ("error", "bug")
        assert (bye["type"], bye["reconnect"]) == ("bye", True)
        (line,) = logged
        short_id = re.search(r"Error ([0-9a-f]{6}) in Quiz", line)
        assert short_id is not None
        assert all(short_id[1] in text for text in (reason, error["detail"], bye["reason"]))
        await until_gone(witness, client.view.member)
        assert len(roster("kitchen")) == 1


@pytest.mark.parametrize(
    ("kind", "code", "reason"), [("done", 4001, "The quiz is over."), ("close", 1000, "")]
)
async def test_a_close_of_ones_own_is_preceded_by_bye(kind: str, code: int, reason: str) -> None:
    async with custom(Quiz) as server, joined(server) as client:
        await client.send(kind)
        closed, words, frames = await client.until_closed()
        assert (closed, words) == (code, reason)
        assert (frames[-1]["type"], frames[-1]["reconnect"]) == ("bye", True)


async def test_what_comes_after_bye_is_not_heard() -> None:
    async with custom(Quiz) as server, joined(server) as witness, joined(server) as client:
        await client.send("close")
        await client.send("buzz")
        _, _, frames = await client.until_closed()
        assert frames[-1]["type"] == "bye"
        await witness.settle()
        assert witness.view.offset == 0


async def test_a_busy_handler_makes_no_ghost() -> None:
    Quiz.gate = asyncio.Event()
    async with custom(Quiz) as server, joined(server) as witness:
        async with joined(server, name="Ada") as client:
            await client.send("slow")
            await client.next("ack")
            await client.leave()
        await until_gone(witness, client.view.member)
        assert not Quiz.gate.is_set()
        Quiz.gate.set()


async def test_rooms_of_a_kind_are_entered_by_their_own_path_alone() -> None:
    class Kind(RoomConsumer):
        kind = "quiz"

    async with custom(Kind) as server, joined(server, "first") as player:
        assert player.welcome["room"] == "quiz/first"
        assert roster("first") == []
        assert [member.id for member in roster("quiz/first")] == [player.view.member]
        receipt = publish("quiz/first", "from a view")
        assert receipt is not None
        assert receipt.receivers == 1
        assert (await player.next("message"))["data"] == "from a view"
        with pytest.raises(NameRefused):
            publish("quiz/\0", "nowhere")


async def test_who_goes_while_it_is_being_let_in_was_never_there() -> None:
    asked, may = asyncio.Event(), asyncio.Event()

    class Slow(RoomConsumer):
        async def authorize(self, action: str, message: ClientMessage | None = None) -> None:
            if "late" in self.scope["query_string"].decode():
                asked.set()
                await may.wait()

    async with custom(Slow) as server, joined(server) as witness:
        async with opened(room_url(server, "kitchen", name="late")) as client:
            await asked.wait()
            client.vanish()
        await asyncio.sleep(0.05)  # until the server has heard of it: there is nothing to wait for
        may.set()
        await witness.settle()
        assert witness.view.joined == []
        assert len(roster("kitchen")) == 1


async def test_a_cancelled_arrival_takes_nobody_with_it(server: ServerAddress) -> None:
    hub = serve_here()
    room = hub.room("kitchen")
    async with joined(server) as first:
        tasks = [
            asyncio.create_task(contextlib.AsyncExitStack().enter_async_context(joined(server)))
            for _ in range(5)
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(each, Client) for each in done] == [False, True, False, True, False]
        await first.settle()
        assert room is hub.rooms["kitchen"]


# Without our layer.


async def test_on_channels_own_layer_the_wire_is_the_same(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    application = AuthMiddlewareStack(websocket_router(websocket_urlpatterns))
    async with (
        serving(application, lifespan="off") as server,
        joined(server, name="Ada", view=View(strict=False)) as ada,
        joined(server, name="Bob", view=View(strict=False)) as bob,
    ):
        await ada.send("message", data="hi", ref=1)
        assert (await ada.next("ack"))["offset"] == 1
        for client in (ada, bob):
            assert (await client.next("message"))["data"] == "hi"
        await bob.send("signal", data=1)
        assert (await ada.next("signal"))["data"] == 1
        assert members() == {"Ada": (1, False), "Bob": (1, False)}


def test_the_check_against_the_schema_can_fail() -> None:
    with pytest.raises(Exception, match="is a required property"):
        valid(json.dumps({"type": "ack", "ref": 1}))
    with pytest.raises(AssertionError):
        valid('{"type": "nothing"}')
