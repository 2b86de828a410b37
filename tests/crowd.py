"""Many clients in the test's own loop, at the price of a socket each; no library, no masks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Self, cast

from channels.layers import channel_layers

from realtime.layers import InMemoryChannelLayer
from realtime.testing import ServerAddress, serving
from tests.peers import until
from tests.raw import frame, upgrade


class Client(asyncio.Protocol):
    """One socket. `heard` are its texts and bytes, and of a close frame the code."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.heard: list[str | bytes | int] = []
        self.data = b""  # what is not yet a whole frame; all of it for a client that does not parse
        self.accepted = asyncio.Event()
        self.ended = asyncio.Event()
        self.pongs = 0
        self.parses = True

    @classmethod
    async def open(cls, port: int, path: str = "/", *, wait: bool = True) -> Self:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(cls, "127.0.0.1", port)
        client.transport.write(upgrade(path.encode()))
        if wait:
            await asyncio.wait_for(client.accepted.wait(), 10)
        return client

    def send(self, payload: str | bytes) -> None:
        text = isinstance(payload, str)
        data = payload.encode() if isinstance(payload, str) else payload
        self.transport.write(frame(1 if text else 2, data))

    def ping(self) -> None:
        self.transport.write(frame(9, b"?"))

    def leave(self, code: int = 1000) -> None:
        self.transport.write(frame(8, code.to_bytes(2, "big")))

    def vanish(self) -> None:
        self.transport.abort()

    async def until_heard(self, count: int, seconds: float = 10) -> list[str | bytes | int]:
        await until(lambda: len(self.heard) >= count or self.ended.is_set(), seconds)
        return self.heard

    @property
    def code(self) -> int | None:
        """Of the close frame that came last; None when there was none."""
        last = self.heard[-1] if self.heard else None
        return last if isinstance(last, int) else None

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if not self.accepted.is_set():
            head, separator, rest = self.data.partition(b"\r\n\r\n")
            if not separator:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.data = rest
            self.accepted.set()
        if self.parses:
            self._parse()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended.set()

    def _parse(self) -> None:
        while len(self.data) >= 2:
            opcode, size, start = self.data[0] & 15, self.data[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self.data[2:start], "big")
            if len(self.data) < start + size:
                return
            body, self.data = self.data[start : start + size], self.data[start + size :]
            self._hear(opcode, body)

    def _hear(self, opcode: int, body: bytes) -> None:
        match opcode:
            case 1:
                self.heard.append(body.decode())
            case 2:
                self.heard.append(body)
            case 8:
                self.heard.append(int.from_bytes(body[:2], "big"))
                self.transport.write(frame(8, body[:2]))
            case 10:
                self.pongs += 1


@contextlib.asynccontextmanager
async def served(
    paths: dict[str, type] | type, **options: Any
) -> AsyncIterator[tuple[ServerAddress, InMemoryChannelLayer]]:
    """Consumers on real uvicorn, and a layer of their own; all must be empty at the end."""
    consumers: dict[str, Any] = paths if isinstance(paths, dict) else {"/": paths}
    applications = {path: consumer.as_asgi() for path, consumer in consumers.items()}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await applications[scope["path"]](scope, receive, send)

    tasks = asyncio.all_tasks()
    with default_layer(InMemoryChannelLayer()) as layer:
        async with serving(application, lifespan="off", **options) as address:
            yield address, layer
        await until(lambda: is_empty(layer), 1)
        await until(lambda: asyncio.all_tasks() <= tasks, 1)


@contextlib.contextmanager
def default_layer(layer: Any) -> Iterator[Any]:
    """Make it the layer of all consumers for a while."""
    before = channel_layers.backends.get("default")
    channel_layers.set("default", layer)
    try:
        yield layer
    finally:
        channel_layers.backends.pop("default")
        if before is not None:
            channel_layers.set("default", before)


def is_empty(layer: InMemoryChannelLayer) -> bool:
    return not (layer.groups or layer.channels or layer._subscribers or layer._batches)


async def gone(address: ServerAddress, layer: InMemoryChannelLayer, seconds: float = 1) -> None:
    """Until the server has forgotten every socket."""
    state = address.server.server_state

    def is_over() -> bool:
        return is_empty(layer) and not state.connections and not state.tasks

    await until(is_over, seconds)
