"""`publish`, `roster` and `disconnect`, from wherever a project may call them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from channels.routing import ProtocolTypeRouter
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.signals import request_started
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from realtime import disconnect, publish, publishing, roster, user_room
from realtime.hub import NotServingError, serving_hub
from realtime.names import NameRefused
from realtime.rooms import Full, Receipt
from realtime.testing import ServerAddress, serving
from tests.processes import run
from tests.wire import joined


def in_thread(work: Callable[[], Any]) -> asyncio.Future[Any]:
    """In a plain thread, as a sensor's would be: no loop, not one of asgiref's."""
    return asyncio.get_running_loop().run_in_executor(ThreadPoolExecutor(1), work)


# Receipts.


async def test_a_receipt_has_the_offset_and_the_receivers(server: ServerAddress) -> None:
    async with joined(server), joined(server):
        assert publish("kitchen", {"temp": 21.5}) == Receipt(offset=1, receivers=2)
        assert publish("kitchen", {"temp": 21.6}) == Receipt(offset=2, receivers=2)


async def test_an_empty_room_remembers(server: ServerAddress) -> None:
    assert publish("kitchen", 1) == Receipt(1, 0)
    async with joined(server, history=1) as client:
        assert client.welcome["messages"][0]["data"] == 1


async def test_what_is_volatile_is_a_signal_and_not_remembered(server: ServerAddress) -> None:
    async with joined(server) as client:
        assert publish("kitchen", 1, volatile=True) == Receipt(None, 1)
        assert await client.next("signal") == {"type": "signal", "member": None, "data": 1}
    assert publish("nobody", 1, volatile=True) == Receipt(None, 0)
    assert "nobody" not in serving_hub().rooms


async def test_to_one_member_only(server: ServerAddress) -> None:
    async with joined(server) as ada, joined(server) as bob:
        assert publish("kitchen", "psst", to=ada.view.member) == Receipt(None, 1)
        assert publish("kitchen", "psst", to="nobody") == Receipt(None, 0)
        assert (await ada.next("signal"))["data"] == "psst"
        assert [frame["type"] for frame in await bob.settle()] == []


async def test_to_all_but_one_connection(server: ServerAddress) -> None:
    async with joined(server) as ada, joined(server) as bob:
        seats = serving_hub().rooms["kitchen"].seats.values()
        seat = next(seat for seat in seats if seat.member_id == ada.view.member)
        assert publish("kitchen", "hi", exclude=seat) == Receipt(1, 1)
        by_channel = publish("kitchen", "hi", exclude=seat.channel_name, volatile=True)
        assert by_channel == Receipt(None, 1)
        assert (await bob.next("message"))["data"] == "hi"
        assert "message" not in [frame["type"] for frame in await ada.settle()]


async def test_the_roster_is_a_list_of_members(server: ServerAddress) -> None:
    assert roster("kitchen") == []
    async with joined(server, name="Ada"), joined(server, name="Bob"):
        assert [member.name for member in roster("kitchen")] == ["Ada", "Bob"]
        assert len(roster("kitchen")) == 2


async def test_disconnect_closes_every_tab_for_good(server: ServerAddress) -> None:
    async with joined(server, client="c") as first, joined(server, client="c") as second:
        assert disconnect("kitchen", first.view.member, reason="Too loud.") == 2
        assert roster("kitchen") == []
        for client in (first, second):
            code, reason, frames = await client.until_closed()
            assert (code, reason) == (4403, "Too loud.")
            assert frames[-1]["type"] == "bye"
            assert (frames[-1]["reason"], frames[-1]["reconnect"]) == ("Too loud.", False)


async def test_who_is_disconnected_may_be_asked_back(server: ServerAddress) -> None:
    async with joined(server) as client:
        assert disconnect("kitchen", client.view.member, reconnect=True) == 1
        code, _, frames = await client.until_closed()
        assert (code, frames[-1]["reconnect"]) == (1012, True)


async def test_to_disconnect_nobody_is_no_error(server: ServerAddress) -> None:
    assert disconnect("kitchen", "nobody") == 0


# From anywhere.


async def test_from_five_threads_into_an_idle_loop_within_50_ms(server: ServerAddress) -> None:
    def sensor() -> float:
        began = time.perf_counter()
        publish("kitchen", threading.current_thread().name)
        return time.perf_counter() - began

    async with joined(server) as client:
        with ThreadPoolExecutor(5) as pool:
            loop = asyncio.get_running_loop()
            took = await asyncio.gather(*(loop.run_in_executor(pool, sensor) for _ in range(100)))
        for _ in range(100):
            await client.next("message")
        assert client.view.offset == 100
    assert sorted(took)[90] < 0.05


async def test_one_publish_from_a_thread_reaches_a_socket_at_once(server: ServerAddress) -> None:
    """Most of the times: a busy machine may take the processor away in between."""
    took = []
    async with joined(server) as client:
        for n in range(20):
            began = time.perf_counter()
            receipt = in_thread(lambda n=n: publish("kitchen", n))  # type: ignore[misc]
            assert (await client.next("message"))["data"] == n
            took.append(time.perf_counter() - began)
            assert await receipt == Receipt(n + 1, 1)
    assert median(took) < 0.05


async def test_roster_and_disconnect_from_a_thread(server: ServerAddress) -> None:
    async with joined(server, name="Ada") as client:
        (member,) = await in_thread(lambda: roster("kitchen"))
        assert member.name == "Ada"
        assert await in_thread(lambda: disconnect("kitchen", member.id)) == 1
        assert (await client.until_closed())[0] == 4403


def said(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(publish("kitchen", "from a view")))


async def said_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(publish("kitchen", "from an async view")))


urlpatterns = [path("said", said), path("said-async", said_async)]


@override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[])
@pytest.mark.parametrize("view", ["said", "said-async"])
async def test_from_a_view(view: str) -> None:
    from app import application

    both = ProtocolTypeRouter({**application.application_mapping, "http": get_asgi_application()})
    async with serving(both) as server, joined(server) as client:
        async with httpx.AsyncClient() as http:
            answer = await http.get(server.http(f"/{view}"))
        assert answer.text == "Receipt(offset=1, receivers=1)"
        assert "view" in (await client.next("message"))["data"]


async def test_from_a_signal_handler(server: ServerAddress) -> None:
    def on_request(**kwargs: Any) -> None:
        publish("kitchen", "somebody asks")

    request_started.connect(on_request)
    try:
        async with joined(server) as client:
            await sync_to_async(request_started.send)(sender=None)
            assert (await client.next("message"))["data"] == "somebody asks"
    finally:
        request_started.disconnect(on_request)


async def test_from_a_thread_with_a_loop_of_its_own(server: ServerAddress) -> None:
    async def elsewhere() -> Receipt | None:
        return publish("kitchen", 1)

    assert await in_thread(lambda: asyncio.run(elsewhere())) == Receipt(1, 0)


async def test_a_loop_that_stays_busy_gets_a_clear_error_and_no_late_message(
    server: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "TIMEOUT", 0.05)
    raised: list[BaseException] = []

    def sensor() -> None:
        try:
            publish("kitchen", "late")
        except NotServingError as error:
            raised.append(error)

    thread = threading.Thread(target=sensor)
    thread.start()
    thread.join()  # in the loop's own thread, which is as busy as it gets
    assert "busy for 0.05 s" in str(raised[0])
    await asyncio.sleep(0)  # whatever it had left behind runs now
    assert publish("kitchen", "next") == Receipt(1, 0)


# After the commit.


@pytest.mark.django_db(transaction=True)
class TestAfterTheCommit:
    async def test_nothing_is_sent_before_the_commit(self, server: ServerAddress) -> None:
        def save() -> None:
            with transaction.atomic():
                assert publish("kitchen", "saved", on_commit=True) is None
                assert publish("kitchen", "first") == Receipt(1, 1)

        async with joined(server) as client:
            await sync_to_async(save)()
            frames = [await client.next("message"), await client.next("message")]
        assert [frame["data"] for frame in frames] == ["first", "saved"]

    async def test_nothing_is_sent_after_a_rollback(self, server: ServerAddress) -> None:
        def fail() -> None:
            with transaction.atomic():
                publish("kitchen", "saved", on_commit=True)
                raise ZeroDivisionError

        async with joined(server) as client:
            with pytest.raises(ZeroDivisionError):
                await sync_to_async(fail)()
            assert await client.settle() == []

    async def test_without_a_transaction_it_is_sent_at_once(self, server: ServerAddress) -> None:
        send = sync_to_async(lambda: publish("kitchen", 1, on_commit=True))
        assert await send() == Receipt(1, 0)
        assert publish("kitchen", 2, on_commit=True) == Receipt(2, 0)

    async def test_what_is_changed_after_the_call_is_not_sent(self, server: ServerAddress) -> None:
        def save() -> None:
            data = {"temp": 21}
            with transaction.atomic():
                publish("kitchen", data, on_commit=True)
                data["temp"] = 99

        await sync_to_async(save)()
        async with joined(server, history=1) as client:
            assert client.welcome["messages"][0]["data"] == {"temp": 21}

    async def test_a_mistake_is_said_at_the_call_and_not_after_the_commit(
        self, server: ServerAddress
    ) -> None:
        def save() -> None:
            with transaction.atomic():
                with pytest.raises(TypeError):
                    publish("kitchen", object(), on_commit=True)
                with pytest.raises(NameRefused):
                    publish("a/b/c", 1, on_commit=True)

        await sync_to_async(save)()


# Mistakes.


async def test_data_that_is_no_json_is_named(server: ServerAddress) -> None:
    with pytest.raises(TypeError, match=r"JSON cannot have a django.*User where"):
        publish("kitchen", {"user": User(username="ada")})
    with pytest.raises(TypeError, match="cannot be sent as JSON"):
        await in_thread(lambda: publish("kitchen", object(), volatile=True))
    assert serving_hub().rooms == {}


async def test_a_room_that_cannot_be_is_refused_in_words(server: ServerAddress) -> None:
    for name, fault in (("a/b/c", "one slash"), ("A/b", "kind"), ("a/..", "folders")):
        with pytest.raises(NameRefused, match=fault):
            publish(name, 1)
    assert serving_hub().rooms == {}


async def test_one_room_too_many_is_refused_in_words(server: ServerAddress, settings: Any) -> None:
    settings.REALTIME_MAX_ROOMS = 1
    async with joined(server):
        with pytest.raises(Full, match="not one is free"):
            await in_thread(lambda: publish("den", 1))


def test_without_a_server_it_names_the_way_over_http() -> None:
    code = "from realtime import publish; publish('kitchen', 1)"
    ended = run("app.py", "shell", "-c", code)
    assert ended.returncode != 0
    assert "NotServingError: This process serves no sockets." in ended.stderr
    assert "POST /api/rooms/<room>/messages/" in ended.stderr


async def test_when_its_loop_has_ended_a_thread_gets_the_same_error() -> None:
    def serve_and_end() -> None:
        from realtime.hub import serve_here

        async def serve() -> None:
            serve_here()

        asyncio.run(serve())

    await in_thread(serve_and_end)
    with pytest.raises(NotServingError):
        publish("kitchen", 1)


# One's own room.


def test_a_users_room_is_no_room_of_an_address() -> None:
    assert "/" in user_room(User(pk=1))
    assert user_room(User(pk=1)) != user_room(User(pk=2))
