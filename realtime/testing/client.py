"""A client of a room that knows what it expects; one connection, by the rules of the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote, urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from realtime.testing.server import ServerAddress
from realtime.testing.view import Frame, View

TIMEOUT = 5.0  # seconds for a frame


class Client:
    """A browser, or a person with a terminal: one connection."""

    def __init__(
        self, socket: ClientConnection, view: View, check: Callable[[str], Frame] = json.loads
    ) -> None:
        self.socket = socket
        self.view = view
        self._check = check
        self.welcome: Frame = {}

    async def send(self, kind: str, **fields: Any) -> None:
        await self.say(json.dumps({"type": kind, **fields}))

    async def say(self, text: str | bytes) -> None:
        await self.socket.send(text)

    async def frame(self) -> Frame:
        """The next frame, applied to the view and answered."""
        async with asyncio.timeout(TIMEOUT):
            text = await self.socket.recv()
        assert isinstance(text, str)
        frame = self._check(text)
        for answer in self.view.take(frame):
            await self.send(**{"kind" if key == "type" else key: answer[key] for key in answer})
        return frame

    async def next(self, kind: str) -> Frame:
        """The next frame of that type; others are taken in passing."""
        while True:
            frame = await self.frame()
            if frame["type"] == kind:
                return frame

    async def expect(self, kind: str, **fields: Any) -> Frame:
        """The next frame of that type that has these fields; others are taken in passing.

        Fails after 5 s, or when the socket is closed, and says what came instead.
        """
        heard: list[Frame] = []
        try:
            while True:
                heard.append(await self.frame())
                if heard[-1]["type"] == kind and _has(heard[-1], fields):
                    return heard[-1]
        except (TimeoutError, ConnectionClosed) as error:
            came = "\n".join(json.dumps(frame)[:200] for frame in heard) or "nothing"
            wanted = f"{kind} {fields or ''}".strip()
            why = str(error) or f"in {TIMEOUT:g} s"
            raise AssertionError(f"no {wanted} ({why}); what came:\n{came}") from None

    async def expect_nothing(self) -> None:
        """Nothing has come but pings, of all that the server has sent until now; no wait."""
        frames = [frame for frame in await self.settle() if frame["type"] != "ping"]
        assert not frames, f"something came: {json.dumps(frames)[:500]}"

    async def until_closed(self) -> tuple[int, str, list[Frame]]:
        """Close code and reason, and the frames that came before."""
        frames = []
        try:
            while True:
                frames.append(await self.frame())
        except ConnectionClosed:
            return self.socket.close_code or 1006, self.socket.close_reason or "", frames

    async def settle(self) -> list[Frame]:
        """Whatever came until now: the server has answered all that was asked before."""
        await self.send("message_that_no_room_knows", ref="settle")
        frames = []
        while (frame := await self.frame()).get("ref") != "settle":
            frames.append(frame)
        return frames

    async def leave(self, code: int = 1000) -> None:
        await self.socket.close(code)
        self.view.lost()

    def vanish(self) -> None:
        """As a phone that leaves the network: reset, and not a word."""
        self.socket.transport.abort()
        self.view.lost()


def _has(frame: Frame, fields: Frame) -> bool:
    return all(key in frame and frame[key] == value for key, value in fields.items())


def room_url(server: ServerAddress, room: str, *, path: str = "", **query: Any) -> str:
    """A room's address; `path` for a room of one's own kind: "/ws/quiz/first/"."""
    address = server.ws(path or f"/ws/rooms/{quote(room, safe='')}/")
    return f"{address}?{urlencode(query)}" if query else address


@contextlib.asynccontextmanager
async def joined(
    server: ServerAddress,
    room: str = "kitchen",
    *,
    view: View | None = None,
    headers: dict[str, str] | None = None,
    check: Callable[[str], Frame] = json.loads,
    path: str = "",
    **query: Any,
) -> AsyncIterator[Client]:
    """A client that has been welcomed; with a `view` it goes on where that was.

    `query` is what its address says: name, client, history. `check` reads each frame's text.
    """
    view = view or View()
    url = room_url(server, room, path=path, **view.query(), **query)
    async with opened(url, view=view, headers=headers, check=check) as client:
        client.welcome = await client.frame()
        assert client.welcome["type"] == "welcome"
        yield client


@contextlib.asynccontextmanager
async def opened(
    url: str,
    *,
    view: View | None = None,
    headers: dict[str, str] | None = None,
    check: Callable[[str], Frame] = json.loads,
) -> AsyncIterator[Client]:
    """A client whose handshake is through."""
    socket = await connect(
        url,
        additional_headers=headers,
        ping_interval=None,
        compression=None,
        proxy=None,
        max_size=None,
        max_queue=None,  # a test that fails before it has read all can still close
        close_timeout=1,
    )
    client = Client(socket, view or View(), check)
    try:
        yield client
    finally:
        await client.leave()
