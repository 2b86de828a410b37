"""A browser in a room: the wire of version 1.

A room of one's own is a subclass with a method `on_<type>` for each type of message that the
browser may send; nothing else of it can be reached from there. `publish()` answers everybody,
`tell()` this connection, `authorize()` says who may join and who may speak.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from msgspec import UNSET

from realtime import names
from realtime.consumer import AsyncWebsocketConsumer
from realtime.frames import Frame
from realtime.hosts import close_reason
from realtime.hub import serve_here
from realtime.identity import member_id, user_name
from realtime.layers import InMemoryChannelLayer
from realtime.limits import Strikes, TokenBucket
from realtime.messages import (
    Ack,
    BadMessage,
    Bye,
    ClientMessage,
    CloseCode,
    Custom,
    Error,
    ErrorCode,
    Leave,
    Message,
    Pong,
    Resync,
    ServerMessage,
    Signal,
    decode,
    encode,
)
from realtime.messages import State as StateMessage
from realtime.names import NameRefused
from realtime.publishing import user_room
from realtime.rooms import Arrival, Full, Receipt, Room
from realtime.roster import Departure, StateRefused

# How long a member whose socket is gone is kept for what it had sent before, in seconds.
LINGER = 0.5


class Refused(Exception):  # noqa: N818 (the peer is told, nobody's program is wrong)
    """Raise it in `authorize()` or a handler: `detail` is for the person at the browser.

    When joining, `code` closes the socket; later the socket stays and the message is answered with
    an `error`.
    """

    def __init__(self, detail: str, *, code: int = CloseCode.FORBIDDEN) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class RoomConsumer(AsyncWebsocketConsumer):
    """Serves a path with `<room>` in it, such as `ws/rooms/<room>/`."""

    room: Room
    member_id: str
    groups: list[str]
    _goodbye: asyncio.Future[None]

    # To override.

    async def authorize(self, action: str, message: ClientMessage | None = None) -> None:
        """Raise Refused where `action` may not be: "join", or the type of a message."""

    def room_name(self) -> str:
        """The room of this connection; here, as the URL says. Raises NameRefused."""
        return names.room_name(self.scope["url_route"]["kwargs"]["room"])

    # To call.

    @property
    def name(self) -> str:
        """What this member is called in the room."""
        member = self.room.roster.get(self.member_id)
        return member.name if member else ""

    def publish(self, data: Any) -> Receipt:
        """To everybody in the room, as this member; stored and numbered."""
        return self.room.publish(data, member=self.member_id)

    def signal(self, data: Any, *, to: str | None = None) -> Receipt:
        """To everybody else, or to one member; not stored."""
        return self.room.signal(data, member=self.member_id, to=to, exclude=self.channel_name)

    def tell(self, message: ServerMessage | Mapping[str, Any]) -> None:
        """To this connection alone: a message of the wire, or an object with a type of yours."""
        self.connection.write(Frame(encode(message).decode()))

    def dismiss(self, code: int, reason: str) -> None:
        """Say `bye` and close; from where nothing can be awaited."""
        if not self._is_done:
            self._goodbye = asyncio.ensure_future(self._dismiss(code, reason))  # kept: loops do not

    # What the browser may send. `message.ref`, where there is one, is answered here.

    async def on_message(self, message: Message) -> None:
        ref = message.ref
        if ref is UNSET:
            self.publish(message.data)
            return
        offset = self.room.history.offset_of(self.member_id, ref)
        if offset is None or offset > self._had:
            key = (self.member_id, ref)
            offset = self.room.publish(message.data, member=self.member_id, key=key).offset
        assert offset is not None
        self.tell(Ack(ref, offset))

    async def on_signal(self, message: Signal) -> None:
        to = None if message.to is UNSET else message.to
        if not self.signal(message.data, to=to).receivers and to is not None:
            detail = f"Nobody here has the id {to!r}."
            raise BadMessage(ErrorCode.UNKNOWN_MEMBER, detail, path="$.to")

    async def on_state(self, message: StateMessage) -> None:
        try:
            self.room.update(self, message.state)
        except StateRefused as refused:
            raise BadMessage(ErrorCode.TOO_LARGE, f"{refused}.", path="$.state") from None

    async def on_resync(self, message: Resync) -> None:
        self.room.resync(self)

    async def on_leave(self, message: Leave) -> None:
        self._is_done = True
        self.room.leave(self, Departure.LEAVE)
        await self.close(CloseCode.NORMAL)

    async def on_pong(self, message: Pong) -> None:
        """That it came is all: whether a socket lives is seen by the protocol's own pings."""

    # The life of the connection.

    async def connect(self) -> None:
        self._bucket = TokenBucket(settings.REALTIME_RATE_LIMIT, settings.REALTIME_RATE_BURST)
        # In a row: messages that were bad, and those that were too many.
        self._bad, self._surplus = Strikes(), Strikes()
        # It has been told goodbye, or has said it: nothing is heard any more.
        self._is_done = False
        self._lingering: asyncio.TimerHandle | None = None
        # Up to this offset all was there when it came back: a `ref` among those is a repeat.
        self._had = 0
        await self.accept()
        try:
            await self._enter()
        except NameRefused as refused:
            await self._dismiss(CloseCode.PROTOCOL, str(refused))
        except Refused as refused:
            await self._dismiss(refused.code, refused.detail)
        except Full as full:
            await self._dismiss(CloseCode.FULL, str(full))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._is_done:
            return
        try:
            await self._receive(text_data)
        except BadMessage as bad:
            self.tell(bad.answer())
            strikes = self._surplus if bad.code is ErrorCode.RATE else self._bad
            if strikes.bad():
                code = CloseCode.RATE if strikes is self._surplus else CloseCode.PROTOCOL
                await self._dismiss(code, f"Too many refused messages in a row: {bad.detail}")

    async def _receive(self, text: str | None) -> None:
        if not self._bucket.take(_now()):
            wait = self._bucket.wait(_now())
            detail = f"Too many messages: this one was not taken. Wait {wait:.2f} s."
            raise BadMessage(ErrorCode.RATE, detail, ref=_ref(text))
        self._surplus.good()
        if text is None:
            raise BadMessage(ErrorCode.BINARY, "This socket takes JSON in text frames.")
        await self._handle(decode(text))
        self._bad.good()

    def connection_lost(self, code: int, reason: str) -> None:
        """Gone; but what it had sent before is still in the mailbox, and is heard first."""
        super().connection_lost(code, reason)
        if hasattr(self, "room"):
            self._lingering = asyncio.get_running_loop().call_later(LINGER, self._left)

    async def _leave_for_good(self) -> None:
        self._left()
        await super()._leave_for_good()

    def _left(self) -> None:
        if hasattr(self, "room"):
            if self._lingering is not None:
                self._lingering.cancel()
            code = self._close_code
            # Nobody waits for a socket that a bug of ours ended.
            is_bug = code == CloseCode.BUG
            self.room.leave(self, Departure.LEAVE if is_bug else Departure.of(code))

    async def _enter(self) -> None:
        """Into the room; returns when this connection has been welcomed. Raises its refusal."""
        name = self.room_name()
        await self.authorize("join")
        query = dict(
            parse_qsl(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        )
        self.member_id = member_id(self.scope, query.get("client"))
        arrival, problems = _arrival(query, user_name(self.scope))
        room = serve_here().room(name)
        if not isinstance(self.channel_layer, InMemoryChannelLayer):
            self.groups = [*self.groups, room.group]
            await self.channel_layer.group_add(room.group, self.channel_name)
        admitted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        room.enter(self, arrival, admitted.set_result)
        self.room = room
        welcomed_at = await admitted
        self._had = welcomed_at if arrival.resume else 0
        for problem in problems:
            self.tell(problem)

    async def _handle(self, message: ClientMessage) -> None:
        """Call the one method that the message's type can reach."""
        kind = message.type if isinstance(message, Custom) else message.__struct_config__.tag
        name = message.handler if isinstance(message, Custom) else f"on_{kind}"
        handler = getattr(self, name, None)
        ref = getattr(message, "ref", UNSET)
        if handler is None:
            detail = f"This room has no handler for messages of the type {kind!r}."
            raise BadMessage(ErrorCode.UNKNOWN_TYPE, detail, path="$.type", ref=ref)
        try:
            await self.authorize(str(kind), message)
            if isinstance(message, Custom):
                await handler({"type": kind, **message.fields})
            else:
                await handler(message)
        except Refused as refused:
            self.tell(Error(code=ErrorCode.FORBIDDEN, detail=refused.detail, ref=ref))
        except BadMessage as bad:
            raise BadMessage(bad.code, bad.detail, path=bad.path, ref=ref) from None

    async def _dismiss(self, code: int, reason: str) -> None:
        self._is_done = True
        final = code in set(CloseCode) and CloseCode(code).final
        self.tell(Bye(reason=reason, reconnect=not final, retry_ms=serve_here().retry_ms()))
        await self.close(code, close_reason(reason))


class NotificationConsumer(RoomConsumer):
    """What the server has to say to one logged-in user, on all their devices."""

    def room_name(self) -> str:
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            raise Refused("Log in first.", code=CloseCode.LOGIN)
        return user_room(user)

    async def authorize(self, action: str, message: ClientMessage | None = None) -> None:
        if action in ("message", "signal"):
            raise Refused("Only the server speaks here.")


def _arrival(query: Mapping[str, str], user: str | None) -> tuple[Arrival, list[Error]]:
    """What the address asks for, and the words for what of it cannot be used."""
    problems: list[Error] = []

    def number(field: str) -> int | None:
        text = query.get(field)
        if text is None or not (text.isascii() and text.isdigit() and len(text) < 16):
            if text is not None:
                detail = f"`{field}` in the address must be a whole number, not {text[:20]!r}."
                problems.append(Error(code=ErrorCode.BAD_SHAPE, detail=detail, path=field))
            return None
        return int(text)

    name = user
    if name is None and query.get("name"):
        try:
            name = names.member_name(query["name"])
        except NameRefused as refused:
            problems.append(Error(code=ErrorCode.BAD_NAME, detail=str(refused), path="name"))
    offset = number("offset")
    resume = None if offset is None else (query.get("epoch", ""), offset)
    return Arrival(name=name, recent=number("history"), resume=resume), problems


def _ref(text: str | None) -> Any:
    """The `ref` of a message that is not taken, so that its sender knows which it was."""
    try:
        return getattr(decode(text or ""), "ref", UNSET)
    except BadMessage as bad:
        return bad.ref


def _now() -> float:
    return asyncio.get_running_loop().time()
