"""What is counted is what a client counts too: on the fast way, on the plain one, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from realtime import consumer as consumer_module
from realtime import publish
from realtime.consumers import AsyncWebsocketConsumer
from realtime.counters import traffic
from realtime.testing import ServerAddress
from tests.crowd import Client, served

FRAME_HEAD = 2  # bytes, of a frame from a server with less than 126 bytes in it


class Group(AsyncWebsocketConsumer):
    """Echoes bytes; text goes to everybody."""

    groups: list[str] = ["all"]  # noqa: RUF012

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None:
            await self.send(bytes_data=bytes_data)
        else:
            message = {"type": "websocket.send", "text": text_data}
            await self.channel_layer.group_send("all", message)


class PlainGroup(Group):
    """The same where `send` is not uvicorn's own: the plain way."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def wrapped(event: Any) -> None:
            await send(event)

        await super().__call__(scope, receive, wrapped)


@pytest.fixture
def counted() -> Callable[[], tuple[int, int, int]]:
    """What was received, delivered and sent since the test began."""
    received, delivered, sent = traffic.received, traffic.delivered, traffic.sent_bytes
    return lambda: (
        traffic.received - received,
        traffic.delivered - delivered,
        traffic.sent_bytes - sent,
    )


@pytest.mark.parametrize("consumer", [Group, PlainGroup])
async def test_each_message_counts_once_for_each_socket(consumer: type, counted: Any) -> None:
    async with served(consumer) as (address, _):
        clients = [await Client.open(address.port) for _ in range(5)]
        for number in range(20):  # in one write: they are gathered into batches
            clients[0].send(f"message {number:02}")
        clients[1].send(b"echo")
        for client in clients:
            await client.until_heard(21 if client is clients[1] else 20)
        heard = [text for client in clients for text in client.heard]
        size = sum(FRAME_HEAD + len(each) for each in heard if not isinstance(each, int))
        assert counted() == (21, 5 * 20 + 1, size)
        for client in clients:
            client.leave()


async def test_what_waits_for_a_slow_reader_has_not_been_sent(counted: Any) -> None:
    async with served(Group) as (address, layer):
        slow = await Client.open(address.port)
        slow.transport.pause_reading()
        [consumer] = consumer_module.live
        said = 0
        while not consumer.connection.waiting:
            await layer.group_send("all", {"type": "websocket.send", "text": "x" * 60_000})
            await asyncio.sleep(0)
            said += 1
        assert counted()[1] < said
        slow.transport.resume_reading()
        await slow.until_heard(said)
        assert counted()[1] == said
        slow.vanish()


async def test_an_event_stream_is_a_delivery_too(server: ServerAddress, counted: Any) -> None:
    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", server.http("/api/rooms/counted/events/")) as answer,
    ):
        lines = answer.aiter_lines()
        await anext(lines)
        before = counted()
        publish("counted", "hello")
        while "hello" not in await anext(lines):
            pass
        after = counted()
        assert (after[0] - before[0], after[1] - before[1]) == (0, 1)
        assert after[2] > before[2]
