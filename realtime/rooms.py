"""A room: who is in, what was said, and who hears of it.

A `Room` ties a roster and a history to the sockets in it. All state of a room is read and written
here, in the serving loop. Not here: the rooms of a process (hub.py), the wire's rules
(room_consumer.py), calls from other threads (publishing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings
from msgspec import Raw

from realtime.arrival import Arrival
from realtime.codec import encode
from realtime.history import ENTRY_BYTES, Entry, History, Kept, Source
from realtime.messages import (
    PROTOCOL,
    Count,
    Ping,
    Ref,
    RoomMessage,
    RoomSignal,
    ServerMessage,
    Welcome,
)
from realtime.names import group_name
from realtime.presence import Announcer
from realtime.roster import Departure, Diff, Roster
from realtime.words import counted

if TYPE_CHECKING:
    from realtime.hub import Hub

PING = encode(Ping()).decode()


class Full(Exception):  # noqa: N818 (the peer is told, nobody's program is wrong)
    """No place for one more: `str()` says of what."""


class Seat(Protocol):
    """One connection in a room."""

    channel_name: str
    member_id: str

    def tell(self, message: ServerMessage) -> None:
        """Send to this connection alone."""

    def dismiss(self, code: int, reason: str) -> None:
        """Close it, with a `bye`."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """`offset` of the stored message, None when nothing was stored; how many sockets and
    event streams it went to."""

    offset: int | None
    receivers: int


def group_of(room: str) -> str:
    """The Channels group of a room."""
    return group_name("room", room)


class Room:
    def __init__(self, name: str, hub: Hub) -> None:
        self.name = name
        self.group = group_of(name)
        self.seats: dict[str, Seat] = {}
        self.roster = Roster(
            grace=settings.REALTIME_GRACE,
            grace_reload=settings.REALTIME_GRACE_RELOAD,
            state_size=settings.REALTIME_STATE_SIZE,
        )
        self.history = History(**_bounds())
        self._hub = hub
        self._clock = hub.clock
        # Who came in this tick, and is welcomed at its end.
        self._entering: dict[str, tuple[Seat, Arrival]] = {}
        self._announcer = Announcer(self.roster, self._clock, self._send)
        # When the next grace ends, and what rings then.
        self._expiry: Any = None
        self._expires_at = 0.0
        self._heartbeat: Any = None

    # Comings and goings.

    def enter(self, seat: Seat, arrival: Arrival) -> None:
        """A connection comes. It is welcomed when the tick ends, with all who came in it.

        What is called by `call_soon()` after this finds it welcomed. Raises Full.
        """
        if len(self.seats) >= settings.REALTIME_MAX_MEMBERS:
            most = counted(settings.REALTIME_MAX_MEMBERS, "connection")
            raise Full(f"This room holds {most}.")
        self.seats[seat.channel_name] = seat
        self._hub.connections += 1
        self._changed(self.roster.join(seat.member_id, seat.channel_name, name=arrival.name))
        if not self._entering:
            self._clock.call_soon(self._admit)
        self._entering[seat.channel_name] = (seat, arrival)
        if self._heartbeat is None:
            self._heartbeat = self._later(settings.REALTIME_HEARTBEAT, self._beat)

    def known_to(self, arrival: Arrival) -> int | None:
        """The offset up to which who comes back has everything, None for who is new.

        What it knows of an earlier room of this name, or of the server before its restart, it
        does not know of this one.
        """
        if arrival.resume is None:
            return None
        epoch, offset = arrival.resume
        return offset if epoch == self.history.epoch else 0

    def leave(self, seat: Seat, departure: Departure) -> None:
        """A connection is gone, or will be. Doing it twice does nothing."""
        if self.seats.pop(seat.channel_name, None) is not None:
            self._hub.connections -= 1
        self._entering.pop(seat.channel_name, None)
        self._changed(self.roster.leave(seat.channel_name, departure, now=self._clock.time()))
        self._hub.discard_if_idle(self)

    def update(self, seat: Seat, patch: dict[str, Any]) -> None:
        """Merge into the member's state. Raises StateRefused."""
        if seat.member_id in self.roster:
            self._changed(self.roster.update(seat.member_id, patch))

    def resync(self, seat: Seat) -> None:
        """The roster again, for a client that saw a hole."""
        self._welcome(seat, self._encoded_roster(), None, [])

    # What is said.

    def publish(
        self,
        data: Any,
        *,
        member: str | None = None,
        exclude: str | None = None,
        ref: Ref | None = None,
        source: Source | None = None,
        stored: Callable[[int], object] = lambda offset: None,
    ) -> Receipt:
        """Number `data`, store it, send it to all but the channel `exclude`.

        `ref` is the member's own number for it, `source` the connection that it came by.
        `stored` gets the offset before anybody gets the message. Raises TypeError for no JSON.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        sender = self.roster.get(member) if member else None
        name = sender.name if sender else ""

        def text(offset: int) -> bytes:
            return encode(RoomMessage(offset=offset, member=member, name=name, data=data, at=at))

        key = (member, ref) if member is not None and ref is not None else None
        entry = self.history.append(text, now=self._clock.time(), key=key, source=source)
        self._hub.stored(self, len(entry.text) + ENTRY_BYTES)
        stored(entry.offset)
        return Receipt(entry.offset, self._send(entry.text, exclude=exclude))

    def signal(
        self,
        data: Any,
        *,
        member: str | None = None,
        to: str | Set[str] | None = None,
        exclude: str | None = None,
    ) -> Receipt:
        """Send `data` to all but the channel `exclude`, or to one or some members. Not stored."""
        message = RoomSignal(member=member, data=data)
        if to is not None:
            some = {to} if isinstance(to, str) else to
            seats = [seat for seat in self.seats.values() if seat.member_id in some]
            for seat in seats:
                seat.tell(message)
            return Receipt(None, len(seats))
        return Receipt(None, self._send(encode(message), exclude=exclude))

    def restore(self, kept: Kept) -> None:
        """Remember what an earlier process, or another room of this name, has said."""
        self.history = History.restore(kept, **_bounds(), now=self._clock.time())

    def end(self) -> None:
        """It is forgotten, and must not speak to those in a later room of the same name."""
        self._announcer.end()
        for timer in (self._expiry, self._heartbeat):
            if timer is not None:
                timer.cancel()
        self._expiry = self._heartbeat = None

    @property
    def is_idle(self) -> bool:
        """Nobody is here or expected back, and nothing is remembered."""
        return not (self.seats or len(self.roster) or len(self.history))

    # At the end of a tick.

    def _admit(self) -> None:
        entering, self._entering = self._entering, {}
        roster = self._encoded_roster()
        for seat, arrival in entering.values():
            self._hub.subscribe(self.group, seat.channel_name)
            self._welcome(seat, roster, *self._missed(arrival))

    def _missed(self, arrival: Arrival) -> tuple[bool | None, list[Entry]]:
        """Whether it is all that was missed (None: nobody asked), and the messages to send."""
        now = self._clock.time()
        if arrival.resume is None:
            return None, self.history.recent(arrival.recent or 0, now=now)
        return self.history.resume(*arrival.resume, now=now, recent=arrival.recent)

    def _encoded_roster(self) -> Raw:
        return Raw(encode(self._announcer.shown()))

    def _welcome(
        self, seat: Seat, members: Raw, recovered: bool | None, entries: list[Entry]
    ) -> None:
        seat.tell(
            Welcome(
                protocol=PROTOCOL,
                room=self.name,
                member=seat.member_id,
                epoch=self.history.epoch,
                offset=self.history.offset,
                recovered=recovered,
                messages=[Raw(entry.text) for entry in entries],
                members=members,
                count=Count(*self.roster.counts()),
                seq=self.roster.seq,
                heartbeat=settings.REALTIME_HEARTBEAT,
                retry_ms=self._hub.retry_ms(),
                build=self._hub.build,
            )
        )

    # Presence.

    def _changed(self, diff: Diff) -> None:
        self._announcer.changed(diff)
        self._hub.screens.follow(self.name, diff, now=self._clock.time())
        self._arm()

    def _arm(self) -> None:
        """Be there when the next grace ends."""
        deadline = self.roster.deadline()
        if deadline is None or (self._expiry is not None and self._expires_at <= deadline):
            return
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry, self._expires_at = self._clock.call_at(deadline, self._expire), deadline

    def _expire(self) -> None:
        self._expiry = None
        self._changed(self.roster.expire(now=self._clock.time()))
        self._hub.discard_if_idle(self)

    # How it goes out.

    def _send(self, text: bytes, *, exclude: str | None = None) -> int:
        """To how many it goes: not to who is still to be welcomed."""
        self._hub.broadcast(self.group, text.decode(), exclude)
        is_one_less = exclude in self.seats and exclude not in self._entering
        seated = len(self.seats) - len(self._entering) - is_one_less
        return seated + self._hub.readers[self.name]

    def _beat(self) -> None:
        self._heartbeat = None
        if self.seats:
            self._hub.broadcast(self.group, PING, None)
            self._heartbeat = self._later(settings.REALTIME_HEARTBEAT, self._beat)

    def _later(self, delay: float, callback: Callable[[], object]) -> Any:
        return self._clock.call_at(self._clock.time() + delay, callback)


def _bounds() -> dict[str, Any]:
    """Of a room's history."""
    return {
        "size": settings.REALTIME_HISTORY_SIZE,
        "age": settings.REALTIME_HISTORY_AGE,
        "max_bytes": settings.REALTIME_OUTBOX_BYTES // 2,
    }
