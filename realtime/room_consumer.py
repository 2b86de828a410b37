"""A browser in a room: the wire of version 1.

A room of one's own is a subclass with a method `on_<type>` for each type of message that the
browser may send; nothing else of it can be reached from there. `publish()` answers everybody,
`tell()` this connection, `authorize()` says who may join and who may speak.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from django.conf import settings
from msgspec import UNSET

from realtime.codec import BadMessage, decode
from realtime.codes import CloseCode, ErrorCode
from realtime.history import Entry
from realtime.limits import Strikes, TokenBucket
from realtime.messages import (
    Ack,
    ClientMessage,
    Custom,
    Error,
    Leave,
    Message,
    Pong,
    Ref,
    Resync,
    Signal,
)
from realtime.messages import State as StateMessage
from realtime.publishing import user_room
from realtime.rooms import Receipt
from realtime.roster import StateRefused
from realtime.seat import Refused, SeatedConsumer

__all__ = ["NotificationConsumer", "Refused", "RoomConsumer"]

# Frames that are wrong as such. Twenty in a row are no accident; a signal to somebody who has just
# left, or a handler's own refusal, may be.
MALFORMED = {
    ErrorCode.BAD_JSON,
    ErrorCode.BAD_SHAPE,
    ErrorCode.TOO_DEEP,
    ErrorCode.UNKNOWN_TYPE,
    ErrorCode.BINARY,
}


class RoomConsumer(SeatedConsumer):
    """Serves a path with `<room>` in it, such as `ws/rooms/<room>/`."""

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
        """To everybody else, or to one member (all their connections); not stored."""
        return self.room.signal(data, member=self.member_id, to=to, exclude=self.channel_name)

    # What the browser may send. `message.ref`, where there is one, is answered here.

    async def on_message(self, message: Message) -> None:
        if message.ref is UNSET:
            self.publish(message.data)
            return
        for earlier in self.room.history.find(self.member_id, message.ref):
            if self._is_repeat(earlier, message):
                self.tell(Ack(message.ref, earlier.offset))
                return
        self._publish_once(message.data, message.ref)

    async def on_signal(self, message: Signal) -> None:
        to = None if message.to is UNSET else message.to
        if not self.signal(message.data, to=to).receivers and to is not None:
            detail = f"Nobody with the id {to!r} is connected."
            raise BadMessage(ErrorCode.UNKNOWN_MEMBER, detail, path="$.to")

    async def on_state(self, message: StateMessage) -> None:
        try:
            self.room.update(self, message.state)
        except StateRefused as refused:
            raise BadMessage(ErrorCode.TOO_LARGE, f"{refused}.", path="$.state") from None

    async def on_resync(self, message: Resync) -> None:
        self.room.resync(self)

    async def on_leave(self, message: Leave) -> None:
        self.say_goodbye(CloseCode.NORMAL, "You left.", reconnect=False)
        await self.close(CloseCode.NORMAL)

    async def on_pong(self, message: Pong) -> None:
        """That it came is all: whether a socket lives is seen by the protocol's own pings."""

    # From the socket.

    async def connect(self) -> None:
        self._bucket = TokenBucket(settings.REALTIME_RATE_LIMIT, settings.REALTIME_RATE_BURST)
        # In a row: messages that were bad, and those that were too many.
        self._bad, self._surplus = Strikes(), Strikes()
        await super().connect()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._is_done:
            return
        try:
            await self._receive(text_data)
        except BadMessage as bad:
            self.refuse(bad.answer())
            await self._count_strike(bad)
        else:
            self._bad.good()

    async def _receive(self, text: str | None) -> None:
        if not self._bucket.take(_now()):
            wait = self._bucket.wait(_now())
            detail = f"Too many messages: this one was not taken. Wait {wait:.2f} s."
            raise BadMessage(ErrorCode.RATE, detail, ref=_ref(text))
        self._surplus.good()
        if text is None:
            raise BadMessage(ErrorCode.BINARY, "This socket takes JSON in text frames.")
        await self._handle(decode(text))

    async def _handle(self, message: ClientMessage) -> None:
        """Call the one method that the message's type can reach."""
        kind = message.type if isinstance(message, Custom) else message.__struct_config__.tag
        name = message.handler if isinstance(message, Custom) else f"on_{kind}"
        handler = getattr(self, name, None)
        ref = getattr(message, "ref", UNSET)
        if not callable(handler):
            detail = f"This room has no handler for messages of the type {kind!r}."
            raise BadMessage(ErrorCode.UNKNOWN_TYPE, detail, path="$.type", ref=ref)
        try:
            await self.authorize(name.removeprefix("on_"), message)
            if isinstance(message, Custom):
                await handler({"type": kind, **message.fields})
            else:
                await handler(message)
        except Refused as refused:
            self.refuse(Error(code=ErrorCode.FORBIDDEN, detail=refused.detail, ref=ref))
        except BadMessage as bad:
            raise BadMessage(bad.code, bad.detail, path=bad.path, ref=ref) from None

    async def _count_strike(self, bad: BadMessage) -> None:
        is_surplus = bad.code is ErrorCode.RATE
        if bad.code not in MALFORMED and not is_surplus:
            self._bad.good()
        elif (self._surplus if is_surplus else self._bad).bad():
            code = CloseCode.RATE if is_surplus else CloseCode.PROTOCOL
            await self.close(code, f"Too many refused messages in a row: {bad.detail}")

    # A message that is sent again.

    def _publish_once(self, data: Any, ref: Ref) -> None:
        self.room.publish(
            data,
            member=self.member_id,
            ref=ref,
            source=(self.channel_name, self.resumed_at is not None),
            # Before the message: who has the message, and comes back, knows that it was taken.
            stored=lambda offset: self.tell(Ack(ref, offset)),
        )

    def _is_repeat(self, earlier: Entry, message: Message) -> bool:
        """Whether `earlier` is this message, sent by the connection that this one took over from.

        Or the other way round: what a lost socket had sent may arrive after its successor's
        repetition. A tab that numbers its messages from 1, as another did, is taken for neither.
        """
        channel, had_resumed = earlier.source or ("", False)
        if channel == self.channel_name or not _has_data(earlier, message.data):
            return False
        if self.resumed_at is not None:
            return earlier.offset > self.resumed_at
        return had_resumed


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


def _has_data(entry: Entry, data: Any) -> bool:
    return bool(msgspec.json.decode(entry.text)["data"] == data)


def _ref(text: str | None) -> Any:
    """The `ref` of a message that is not taken, so that its sender knows which it was."""
    try:
        return getattr(decode(text or ""), "ref", UNSET)
    except BadMessage as bad:
        return bad.ref


def _now() -> float:
    return asyncio.get_running_loop().time()
