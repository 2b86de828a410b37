"""A consumer with a seat in a room: how it comes, and how it goes.

What it says while it is there stands in room_consumer.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from realtime import counters, names
from realtime.arrival import Arrival
from realtime.codec import encode
from realtime.codes import CloseCode, ErrorCode, is_final
from realtime.connection import CLOSED
from realtime.consumer import AsyncWebsocketConsumer
from realtime.frames import Frame
from realtime.hub import serve_here
from realtime.identity import member_id, user_name
from realtime.layers import InMemoryChannelLayer
from realtime.messages import Bye, ClientMessage, Error, ServerMessage
from realtime.names import NameRefused
from realtime.rooms import Full, Room, group_of
from realtime.roster import Departure

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


class SeatedConsumer(AsyncWebsocketConsumer):
    """Enters the room of its address once it is accepted, and leaves it however it ends."""

    # Names the rooms of this class's own: "quiz" makes of "first" the room "quiz/first", which no
    # other path leads into. Without it they are those of ws/rooms/<room>/, and whoever comes in by
    # that path is not asked by this class's `authorize()`.
    kind = ""

    room: Room
    member_id: str
    groups: list[str]
    # The offset up to which it had everything when it came back; None when it is new.
    resumed_at: int | None = None
    # It has been told goodbye, or has said it: nothing is heard any more.
    _is_done = False
    _lingering: asyncio.TimerHandle | None = None
    _goodbye: asyncio.Future[None]

    # To override.

    async def authorize(self, action: str, message: ClientMessage | None = None) -> None:
        """Raise Refused where `action` may not be: "join", or the handler's name without `on_`.

        So "quiz.next" and "quiz-next" are both "quiz_next": neither is a way around a rule.
        """

    def room_name(self) -> str:
        """The room of this connection; here, as the URL says. Raises NameRefused."""
        name = names.room_name(self.scope["url_route"]["kwargs"]["room"])
        return f"{self.kind}/{name}" if self.kind else name

    # To call.

    def tell(self, message: ServerMessage | Mapping[str, Any]) -> None:
        """To this connection alone: a message of the wire, or an object with a type of yours."""
        self.connection.write(Frame(encode(message).decode()))

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        """As in Channels, after a `bye` that says why; the member has left at once."""
        number = CloseCode.NORMAL if code in (None, True) else int(code or 0)
        self.say_goodbye(number, reason or "")
        await super().close(number, reason)

    def dismiss(self, code: int, reason: str) -> None:
        """The same from where nothing can be awaited."""
        if not self._is_done:
            self.say_goodbye(code, reason)
            closing = super().close(code, reason)
            self._goodbye = asyncio.ensure_future(closing)  # kept: loops do not

    def say_goodbye(self, code: int, reason: str, *, reconnect: bool | None = None) -> None:
        """Out of the room, and the last that the browser hears; once."""
        if self._is_done:
            return
        self._is_done, self._close_code = True, code
        self._leave_groups()
        self._left()
        if code == CloseCode.BUG:
            self.refuse(Error(code=ErrorCode.BUG, detail=reason))
        back = not is_final(code) if reconnect is None else reconnect
        self.tell(Bye(reason=reason, reconnect=back, retry_ms=serve_here().retry_ms()))

    def refuse(self, error: Error) -> None:
        counters.refusals[error.code] += 1
        self.tell(error)

    # The life of the connection.

    async def connect(self) -> None:
        await self.accept()
        try:
            await self._enter()
        except NameRefused as refused:
            await self.close(CloseCode.PROTOCOL, str(refused))
        except Refused as refused:
            await self.close(refused.code, refused.detail)
        except Full as full:
            await self.close(CloseCode.FULL, str(full))

    async def _enter(self) -> None:
        """Into the room; returns when this connection has been welcomed. Raises its refusal."""
        name = self.room_name()
        await self.authorize("join")
        arrival = Arrival.of(self.scope["query_string"])
        self.member_id = member_id(self.scope, arrival.client)
        if not isinstance(self.channel_layer, InMemoryChannelLayer):
            self.groups = [*self.groups, group_of(name)]
            await self.channel_layer.group_add(group_of(name), self.channel_name)
        if self.connection.state is CLOSED:
            return  # the peer has gone while `authorize()` took its time
        room = serve_here().room(name)
        room.enter(self, replace(arrival, name=user_name(self.scope) or arrival.name))
        self.room, self.resumed_at = room, room.known_to(arrival)
        await asyncio.sleep(0)  # it is welcomed at the end of this tick
        for problem in arrival.problems:
            self.refuse(problem)

    def connection_lost(self, code: int, reason: str) -> None:
        """Gone; but what it had sent before is still in the mailbox, and is heard first."""
        super().connection_lost(code, reason)
        if hasattr(self, "room") and not self._is_done:
            self._lingering = asyncio.get_running_loop().call_later(LINGER, self._left)

    async def _leave_for_good(self) -> None:
        self._left()
        await super()._leave_for_good()

    def _left(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
        if hasattr(self, "room"):
            # Nobody waits for a socket that a bug of ours ended.
            is_bug = self._close_code == CloseCode.BUG
            self.room.leave(self, Departure.LEAVE if is_bug else Departure.of(self._close_code))
