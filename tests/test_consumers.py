"""The JSON consumer and the echo, as a browser meets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest
from channels.testing import WebsocketCommunicator

from realtime.consumers import AsyncJsonWebsocketConsumer, EchoConsumer
from tests.crowd import Client, gone, served

Talk = Callable[..., WebsocketCommunicator]


class Greeter(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        await self.send_json({"hello": content}, close=content == "close")


@pytest.fixture
async def talk() -> AsyncIterator[WebsocketCommunicator]:
    communicator = WebsocketCommunicator(Greeter.as_asgi(), "/")
    await communicator.connect()
    yield communicator
    await communicator.disconnect()


BAD = {
    "words": "not json",
    "half": '{"a": ',
    "nothing": "",
    "a comma": "[1,]",
    "deep": "[" * 50_000,
    "two": "{} {}",
    "control character": '"\n"',
}


@pytest.mark.parametrize("content", ["a", 1, None, [], {}, {"a": [{}]}, "", 0, False])
async def test_json_comes_decoded_and_goes_encoded(
    talk: WebsocketCommunicator, content: Any
) -> None:
    await talk.send_json_to(content)
    assert await talk.receive_json_from() == {"hello": content}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
async def test_what_is_no_json_is_answered_and_the_socket_lives(
    talk: WebsocketCommunicator, text: str
) -> None:
    await talk.send_input({"type": "websocket.receive", "text": text})
    answer = await talk.receive_json_from()
    assert (answer["type"], answer["code"], answer["path"]) == ("error", "bad_json", "$")
    await talk.send_json_to("after")
    assert await talk.receive_json_from() == {"hello": "after"}


async def test_bytes_are_answered_and_the_socket_lives(talk: WebsocketCommunicator) -> None:
    await talk.send_to(bytes_data=b"{}")
    assert (await talk.receive_json_from())["code"] == "binary"
    await talk.send_json_to("after")
    assert await talk.receive_json_from() == {"hello": "after"}


async def test_twenty_bad_frames_in_a_row_end_it_with_4400(talk: WebsocketCommunicator) -> None:
    for _ in range(20):
        await talk.send_to(text_data="bad")
        assert (await talk.receive_json_from())["type"] == "error"
    assert (await talk.receive_output())["code"] == 4400


async def test_a_good_frame_between_bad_ones_forgives(talk: WebsocketCommunicator) -> None:
    for number in range(40):
        await talk.send_to(text_data="bad" if number % 19 else "1")
        await talk.receive_from()
    await talk.send_json_to("after")
    assert await talk.receive_json_from() == {"hello": "after"}


async def test_send_json_closes_when_asked(talk: WebsocketCommunicator) -> None:
    await talk.send_json_to("close")
    assert await talk.receive_json_from() == {"hello": "close"}
    assert (await talk.receive_output())["type"] == "websocket.close"


async def test_a_codec_of_ones_own_is_used() -> None:
    class Own(Greeter):
        @classmethod
        async def decode_json(cls, text_data: str) -> Any:
            return json.loads(text_data)["wrapped"]

        @classmethod
        async def encode_json(cls, content: Any) -> str:
            return json.dumps({"wrapped": content})

    communicator = WebsocketCommunicator(Own.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_json_to({"wrapped": "a"})
    assert await communicator.receive_json_from() == {"wrapped": {"hello": "a"}}
    await communicator.disconnect()


async def test_an_error_of_receive_json_itself_is_a_bug_and_no_bad_frame(
    logged: list[str],
) -> None:
    class Buggy(AsyncJsonWebsocketConsumer):
        async def receive_json(self, content: Any, **kwargs: Any) -> None:
            raise ValueError("a bug of ours")

    communicator = WebsocketCommunicator(Buggy.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_json_to({})
    assert (await communicator.receive_output())["code"] == 1011
    await communicator.disconnect()
    assert len(logged) == 1


async def test_the_echo_gives_back_text_and_bytes_as_they_came() -> None:
    payloads: list[str | bytes] = ["", "text", "é 🍕 \0 \u2028", b"", b"\x00\xff", "x" * 60_000]
    async with served(EchoConsumer) as (address, layer):
        client = await Client.open(address.port)
        for payload in payloads:
            client.send(payload)
        assert await client.until_heard(len(payloads)) == payloads
        client.leave()
        await gone(address, layer)


class Feed(AsyncJsonWebsocketConsumer):
    groups: ClassVar[list[str]] = ["feed"]

    async def note(self, event: Any) -> None:
        await self.send(text_data=event["text"])


@pytest.mark.parametrize(
    ("kind", "count"), [("websocket.send", 10_000), ("note", 1_500)], ids=["frames", "handlers"]
)
async def test_200_members_get_every_broadcast_of_a_tight_loop_once_and_in_order(
    kind: str, count: int
) -> None:
    texts = [f"{number:05}" for number in range(count)]
    everything = b"".join(b"\x81\x05" + text.encode() for text in texts)
    async with served(Feed) as (address, layer):
        clients = [await Client.open(address.port) for _ in range(200)]
        for client in clients:
            client.parses = False
        for text in texts:
            await layer.group_send("feed", {"type": kind, "text": text})
        async with asyncio.timeout(30):
            while any(len(client.data) < len(everything) for client in clients):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert all(client.data == everything for client in clients)
        for client in clients:
            client.vanish()
        await gone(address, layer, 5)
