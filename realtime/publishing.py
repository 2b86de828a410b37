"""`publish`, `roster`, `disconnect`: rooms from anywhere in the serving process.

From async code, sync views, signals, plain threads, after commit: always a plain call, never
`async_to_sync`. From another thread it hands the work to the serving loop and waits for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeVar

from django.db import transaction
from msgspec import Raw

from realtime.codec import encode
from realtime.codes import CloseCode
from realtime.hub import Hub, NotServingError, serving_hub
from realtime.identity import user_member_id
from realtime.names import full_room_name
from realtime.rooms import Receipt, Room
from realtime.roster import Member

T = TypeVar("T")

# Longest wait of another thread for the serving loop, in seconds.
TIMEOUT = 10.0


def publish(
    room: str,
    data: Any,
    *,
    volatile: bool = False,
    to: str | None = None,
    exclude: Any = None,
    on_commit: bool = False,
) -> Receipt | None:
    """Send `data`, anything JSON can say, to everybody in `room`.

    It is numbered and remembered, unless it is `volatile` or for one member (`to`, a member id):
    that arrives as a `signal`. `exclude` is the consumer that is not to have it now; what is
    remembered, it may get when it comes back. With `on_commit` it waits for the database
    transaction around it, if there is one; then there is no receipt.

    Raises NotServingError in a process without sockets, NameRefused for a name that is none, Full
    when there are too many rooms, and TypeError for data that is no JSON.
    """
    hub, name = serving_hub(), full_room_name(room)
    excluded = getattr(exclude, "channel_name", exclude)
    # Encoded here: what is wrong with it is said where it was made, and a later change is too late.
    encoded = Raw(encode(data))
    if volatile or to is not None:
        work = partial(_signal, hub, name, encoded, to, excluded)
    else:
        work = partial(_publish, hub, name, encoded, excluded)
    if on_commit and _in_transaction():
        transaction.on_commit(partial(_in_loop, hub, work))
        return None
    return _in_loop(hub, work)


def roster(room: str) -> list[Member]:
    """Who is in `room`, those expected back included; empty for a room that nobody made."""
    hub, name = serving_hub(), full_room_name(room)
    return _in_loop(hub, lambda: hub.rooms[name].roster.members() if name in hub.rooms else [])


def disconnect(
    room: str, member: str, *, reason: str = "You were disconnected.", reconnect: bool = False
) -> int:
    """Close every connection of a member in `room`; says how many there were.

    They do not come back by themselves, unless `reconnect`.
    """
    hub, name = serving_hub(), full_room_name(room)
    code = CloseCode.RESTART if reconnect else CloseCode.FORBIDDEN

    def close() -> int:
        seats = list(hub.rooms[name].seats.values()) if name in hub.rooms else []
        found = [seat for seat in seats if seat.member_id == member]
        for seat in found:
            seat.dismiss(code, reason)
        return len(found)

    return _in_loop(hub, close)


def user_room(user: Any) -> str:
    """The room that only this user's own devices are in: `publish(user_room(user), …)`.

    `ws/rooms/<room>/` does not lead there, for there is a slash in its name.
    """
    return f"user/{user_member_id(user)}"


def _publish(hub: Hub, name: str, data: Raw, exclude: str | None) -> Receipt:
    return hub.room(name).publish(data, exclude=exclude)


def _signal(hub: Hub, name: str, data: Raw, to: str | None, exclude: str | None) -> Receipt:
    room = hub.rooms.get(name) or Room(name, hub)  # not kept, for nothing in it is remembered
    return room.signal(data, to=to, exclude=exclude)


def _in_transaction() -> bool:
    """Whether this thread is inside `atomic()`; a running loop never is."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return bool(transaction.get_connection().in_atomic_block)
    return False


def _in_loop(hub: Hub, work: Callable[[], T]) -> T:
    """Run `work` in the serving loop, from wherever this is called."""
    loop: Any = hub.clock
    try:
        if asyncio.get_running_loop() is loop:
            return work()
    except RuntimeError:
        pass  # a thread without a loop
    future: Future[T] = Future()
    try:
        loop.call_soon_threadsafe(_fulfil, future, work)
        return future.result(TIMEOUT)
    except (RuntimeError, TimeoutError):
        if not future.cancel():
            return future.result()  # the answer came at the last moment, or is such an error
        stopped = f"The server of this process has stopped, or was busy for {TIMEOUT:g} s."
        raise NotServingError(stopped) from None


def _fulfil(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return  # the caller was told that it did not happen
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)
