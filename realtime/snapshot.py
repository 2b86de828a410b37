"""PURE. What a snapshot file says: the histories of all rooms at one moment, for the next start.

Here: its lines, its promise, how old things are after a restart. Not here: the disk
(snapshot_file.py), when it is written (keeper.py).

**The promise.** An epoch and an offset name one message for ever. So a room may go on under its
epoch only if the file knows every offset that anybody was given:

- After a stop (SIGTERM, Ctrl+C) the file is the last word, marked as `stopped`. Every room goes on:
  clients get all that they missed and `recovered: true`; a message whose `ack` was lost is known by
  its `ref` and not delivered twice.
- After a kill, so does every room in which nothing was said since the last save. Before the first
  message after it goes out, the room's mark in the file is set: one byte, which the kernel keeps
  when the process dies.
- A room with a mark has what the file knows under a **new** epoch: clients are told
  `recovered: false`, though some had everything, and nobody takes a part for the whole. What was
  said since the save is lost: at most the interval.
- A power cut takes marks with it that were not on the disk yet. So after another boot of the
  machine, and on systems that do not number their boots (others than Linux), a kill is as if every
  room had its mark.
- A server that cannot write its own file at the start uses no epoch of the file that is there, and
  marks every room in it. Only on a disk that is read-only, or without the setting, nothing can be
  said to the next start: it must not get an old file in the place of a newer one.

The file, in lines: a `Head`; the marks, a character for each room; a `SavedRoom` each; the notes
that other modules keep; a `Foot`. The checksum is of all but the marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from realtime.history import Entry, Kept
from realtime.messages import Ref

VERSION = 1

# Of a whole file, in bytes. Rooms for which there is no space keep their place, but no messages.
MAX_BYTES = 64 * 1024 * 1024

# The marks: nothing was said since the file was written, something was.
QUIET, SPOKEN = b".", b"x"

# A wall clock before this (14 November 2023) was never set: a Raspberry Pi without network.
CLOCK_IS_SET = 1_700_000_000.0


class Moment(NamedTuple):
    """`wall` and `uptime` in seconds; `boot` names the machine's boot, "" where nothing does."""

    wall: float
    uptime: float
    boot: str


class Damaged(ValueError):  # noqa: N818 (the file is at fault, no program)
    """This is no snapshot that can be used: `str()` says why."""


class Head(Struct, frozen=True):
    realtime_snapshot: int  # the version
    saved: float
    uptime: float
    boot: str
    stopped: bool  # nothing was said after it was written
    rooms: int


class Foot(Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str


class SavedMessage(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """`age`: seconds before the file was saved; `text`: as it went out, its offset in it."""

    age: float
    text: Raw
    member: str | None = None
    ref: Ref | None = None


class SavedRoom(Struct, frozen=True):
    room: str
    epoch: str
    offset: int
    messages: list[SavedMessage]


class Snapshot(NamedTuple):
    """What was read: each room, with the epoch "" where it must have a new one."""

    rooms: dict[str, Kept]
    notes: dict[str, Any]


def encode(
    rooms: dict[str, Kept],
    notes: dict[str, Any],
    *,
    saved: Moment,
    clock: float,
    stopped: bool,
    max_bytes: int = MAX_BYTES,
) -> Iterator[bytes]:
    """The file's lines; the second one is the marks, in the order of `rooms`.

    `clock` is the time of the entries' clock. One room at a time: the whole at once would hold up
    a server with much to say.
    """
    head = Head(VERSION, round(saved.wall, 3), saved.uptime, saved.boot, stopped, len(rooms))
    digest, size = sha256(), 0
    yield _line(head, digest)
    yield QUIET * len(rooms) + b"\n"
    for name, kept in rooms.items():
        text = _encoder.encode(_saved(name, kept, clock))
        if size + len(text) > max_bytes:
            text = _encoder.encode(SavedRoom(name, kept.epoch, kept.offset, []))
        size += len(text)
        digest.update(text + b"\n")
        yield text + b"\n"
    yield _line(notes, digest)
    yield _line(Foot(digest.hexdigest()), digest)


def mark_at(first_line: bytes, room: int) -> int:
    """Where in the file the mark of the room of that number is."""
    return len(first_line) + room


def decode(text: bytes, *, now: Moment, clock: float) -> Snapshot:
    """What `encode` wrote; entries get their time by `clock`. Raises Damaged for anything else."""
    head = _head(text)
    lines = text.split(b"\n")
    if text[-1:] != b"\n" or len(lines) != head.rooms + 5 or len(lines[1]) != head.rooms:
        raise Damaged("it is cut short")
    try:
        if _foot.decode(lines[-2]).sha256 != _sum([lines[0], *lines[2:-2]]):
            raise Damaged("its checksum does not fit")
        saved = [_room.decode(line) for line in lines[2:-3]]
        notes = msgspec.json.decode(lines[-3], type=dict[str, Any])
    except UNREADABLE as error:
        raise Damaged(f"a line of it is none of ours ({error})") from None
    at = clock - elapsed(Moment(head.saved, head.uptime, head.boot), now)
    is_exact = head.stopped or head.boot == now.boot != ""
    marks = lines[1] if is_exact else SPOKEN * head.rooms
    quiet = [marks[place : place + 1] == QUIET for place in range(head.rooms)]
    return Snapshot(dict(map(_kept, saved, quiet, [at] * head.rooms)), notes)


def elapsed(saved: Moment, now: Moment) -> float:
    """Seconds that the messages of a file have aged since it was saved, never below 0.

    Within one boot by the machine's uptime. Over a boot there is only the wall clock, which a
    Raspberry Pi does not have before it finds a time server: where it went backwards, or was not
    set when the file was saved, no time has passed. So nothing expires for a wrong clock, and
    nothing stays for ever: ages go on from what they were, with every hour that a server runs.
    """
    if saved.boot and saved.boot == now.boot:
        return max(0.0, now.uptime - saved.uptime)
    if saved.wall < CLOCK_IS_SET:
        return 0.0
    return max(0.0, now.wall - saved.wall)


# What msgspec raises for text that is wrong, not UTF-8, or nested without end.
UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

_encoder = msgspec.json.Encoder()
_room = msgspec.json.Decoder(SavedRoom)
_foot = msgspec.json.Decoder(Foot)


def _line(value: Any, digest: Any) -> bytes:
    line = _encoder.encode(value) + b"\n"
    digest.update(line)
    return line


def _sum(lines: Iterable[bytes]) -> str:
    digest = sha256()
    for line in lines:
        digest.update(line + b"\n")
    return digest.hexdigest()


def _head(text: bytes) -> Head:
    """Raises Damaged in words for what is no file of ours, or one of a later version of us."""
    try:
        first = msgspec.json.decode(text[:1000].partition(b"\n")[0], type=dict[str, Any])
        version = first["realtime_snapshot"]
    except (*UNREADABLE, KeyError):
        raise Damaged("it is no snapshot of this server" if text else "it is empty") from None
    if version != VERSION:
        raise Damaged(f"it is of version {version!r}, and this server knows version {VERSION}")
    try:
        return msgspec.convert(first, Head)
    except UNREADABLE as error:
        raise Damaged(f"its first line is none of ours ({error})") from None


def _saved(name: str, kept: Kept, clock: float) -> SavedRoom:
    messages = [
        SavedMessage(round(clock - entry.at, 3), Raw(entry.text), *(entry.key or ()))
        for entry in kept.entries
    ]
    return SavedRoom(name, kept.epoch, kept.offset, messages)


def _kept(saved: SavedRoom, is_quiet: bool, at: float) -> tuple[str, Kept]:
    first = saved.offset - len(saved.messages) + 1
    entries = []
    for offset, message in enumerate(saved.messages, first):
        key = None
        if message.member is not None and message.ref is not None:
            key = (message.member, message.ref)
        entries.append(Entry(offset, at - message.age, bytes(message.text), key))
    return saved.room, Kept(saved.epoch if is_quiet else "", saved.offset, tuple(entries))
