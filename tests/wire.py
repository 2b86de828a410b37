"""A client that follows the rules of the wire and knows nothing else.

Every frame that it gets is checked against docs/schema, whatever a test looks at.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jsonschema  # type: ignore[import-untyped, unused-ignore]
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from realtime.testing import ServerAddress

Frame = dict[str, Any]

TIMEOUT = 5.0
SCHEMA = json.loads((Path(__file__).parent.parent / "docs/schema/server.json").read_text())
VALIDATORS = {
    name: jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]})
    for name in SCHEMA["$defs"]
}
NAMES = {
    part["properties"]["type"]["enum"][0]: name
    for name, part in SCHEMA["$defs"].items()
    if "type" in part.get("properties", {})
}
# Lists whose parts come again and again, and what they are.
PARTS = {
    "members": "MemberInfo",
    "joins": "MemberInfo",
    "updates": "MemberInfo",
    "messages": "RoomMessage",
}


@lru_cache(maxsize=4096)
def valid(text: str) -> Frame:
    """The frame, which is a message of the wire or fails the test. A broadcast is checked once."""
    frame: Frame = json.loads(text)
    kind = frame.get("type")
    assert kind in NAMES, f"no message of the wire: {text[:200]}"
    lists = {key: frame[key] for key in PARTS if isinstance(frame.get(key), list)}
    VALIDATORS[NAMES[kind]].validate({**frame, **{key: [] for key in lists}})
    for key, parts in lists.items():
        for part in parts:
            _check_part(PARTS[key], json.dumps(part))
    return frame


@lru_cache(maxsize=100_000)
def _check_part(name: str, text: str) -> None:
    VALIDATORS[name].validate(json.loads(text))


class View:
    """What a client has made of all it was sent; it fails the test where the wire's rules do.

    One that is not strict ignores what it knows already: on another layer than ours what was sent
    just before a welcome may come after it.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self._is_strict = strict
        self.member = ""
        self.epoch = ""
        self.seq = self.offset = 0
        self.count: Frame = {}
        self.members: dict[str, Frame] = {}
        # Messages that it has seen, by (epoch, offset); and how each welcome took it on.
        self.messages: dict[tuple[str, int], Any] = {}
        self.recovered: list[bool | None] = []
        self.resyncs = 0
        # Ids that a diff has shown to come and to go.
        self.joined: list[str] = []
        self.left: list[str] = []
        self._is_up = False

    def take(self, frame: Frame) -> list[Frame]:
        """Apply a frame; returns what the client answers."""
        match frame["type"]:
            case "welcome":
                self._welcome(frame)
            case "presence":
                return self._presence(frame)
            case "message":
                self._message(frame)
            case "ping":
                return [{"type": "pong"}]
        return []

    def lost(self) -> None:
        """The socket is gone."""
        self._is_up = False

    def query(self) -> dict[str, Any]:
        """What it says in the address to go on where it was."""
        return {"epoch": self.epoch, "offset": self.offset} if self.epoch else {}

    def _welcome(self, frame: Frame) -> None:
        if self._is_up:  # the answer to a resync: what was said has all come before
            assert (frame["epoch"], frame["offset"]) == (self.epoch, self.offset)
            assert (frame["recovered"], frame["messages"]) == (None, [])
        else:
            self._come_in(frame)
        self.members = {member["id"]: member for member in frame["members"]}
        self.seq, self.count = frame["seq"], frame["count"]

    def _come_in(self, frame: Frame) -> None:
        self._is_up = True
        self.member = frame["member"]
        self.recovered.append(frame["recovered"])
        if frame["recovered"]:
            assert frame["epoch"] == self.epoch, "another epoch holds nothing that was missed"
        else:
            self.epoch = frame["epoch"]
            self.offset = frame["offset"] - len(frame["messages"])
        for message in frame["messages"]:
            self._message(message)
        assert self.offset == frame["offset"], "a welcome has all up to its offset"

    def _presence(self, frame: Frame) -> list[Frame]:
        if frame["seq"] <= self.seq:
            assert not self._is_strict, f"presence {frame['seq']} after {self.seq}"
            return []
        if frame["seq"] > self.seq + 1:
            self.resyncs += 1
            return [{"type": "resync"}]
        self.seq, self.count = frame["seq"], frame["count"]
        for member in (*frame["joins"], *frame["updates"]):
            self.members[member["id"]] = member
        for member_id in frame["leaves"]:
            self.members.pop(member_id, None)
        self.joined += [member["id"] for member in frame["joins"]]
        self.left += frame["leaves"]
        return []

    def _message(self, frame: Frame) -> None:
        if not self._is_strict and frame["offset"] <= self.offset:
            return
        assert frame["offset"] == self.offset + 1, f"message {frame['offset']} after {self.offset}"
        self.offset = frame["offset"]
        assert (self.epoch, self.offset) not in self.messages
        self.messages[self.epoch, self.offset] = frame["data"]


class Client:
    """A browser, or a person with a terminal: one connection."""

    def __init__(self, socket: ClientConnection, view: View) -> None:
        self.socket = socket
        self.view = view
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
        frame = valid(text)
        for answer in self.view.take(frame):
            await self.send(**{"kind" if key == "type" else key: answer[key] for key in answer})
        return frame

    async def next(self, kind: str) -> Frame:
        """The next frame of that type; others are taken in passing."""
        while True:
            frame = await self.frame()
            if frame["type"] == kind:
                return frame

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


async def until(condition: Callable[[], object]) -> None:
    """For what the server does on its own, and tells nobody."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 (a test may look, but is not told)
            await asyncio.sleep(0.005)


def room_url(server: ServerAddress, room: str, **query: Any) -> str:
    address = server.ws(f"/ws/rooms/{quote(room, safe='')}/")
    return f"{address}?{urlencode(query)}" if query else address


@contextlib.asynccontextmanager
async def joined(
    server: ServerAddress,
    room: str = "kitchen",
    *,
    view: View | None = None,
    headers: dict[str, str] | None = None,
    **query: Any,
) -> AsyncIterator[Client]:
    """A client that has been welcomed; with a `view` it goes on where that was."""
    view = view or View()
    url = room_url(server, room, **view.query(), **query)
    async with opened(url, view=view, headers=headers) as client:
        client.welcome = await client.frame()
        assert client.welcome["type"] == "welcome"
        yield client


@contextlib.asynccontextmanager
async def opened(
    url: str, *, view: View | None = None, headers: dict[str, str] | None = None
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
    try:
        yield Client(socket, view or View())
    finally:
        await socket.close()
