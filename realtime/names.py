"""Names of rooms and members: what is accepted, what is unique, what is made up.

Lives here: `room_name` and `member_name` check and tidy what a person typed, `full_room_name` a
room with its kind; `Names` gives each of a room to one member, `friendly_name` makes one up,
`group_name` maps a room to a Channels group.
Does not live here: who may use a name (consumers.py) and who has which (roster.py).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from heapq import heappop, heappush

MAX_LENGTH = 64  # characters, after NFC
# NFC makes a text four times shorter at most, and sorts its marks in quadratic time: no giants in.
MAX_RAW_LENGTH = 4 * MAX_LENGTH
# Of a kind, a slash and a name.
MAX_FULL_LENGTH = 2 * MAX_LENGTH + 1

# Control, format (bidi controls, soft hyphen, BOM, tags), surrogate, private use, and separators of
# lines and paragraphs. Unassigned ones pass: to an older Python the newest emoji is unassigned.
REFUSED_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
# By category a letter, a mark or a symbol, but nothing to see: the name of a ghost.
BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
JOINERS = "\u200c\u200d"  # ZWNJ, ZWJ
EMOJI_STYLE = "\ufe0f"
VIRAMA = 9  # the combining class after which Indic scripts need a joiner (RFC 5892, A.1)

ADJECTIVES = """
Able Amber Blue Brave Bright Brisk Busy Calm Cheery Clear Clever Cosy Crisp Curious Daring Eager
Early Fair Fancy Fast Fine Free Fresh Friendly Gentle Glad Golden Good Grand Green Happy Honest
Humble Jolly Keen Kind Light Lively Loyal Lucky Magic Mellow Merry Mighty Neat Noble Patient Playful
Polite Proud Quick Quiet Ready Royal Shiny Silver Smart Smooth Sunny Swift True Warm Wise Witty
""".split()  # noqa: SIM905 (64 lines otherwise)
ANIMALS = """
Alpaca Badger Bear Beaver Bee Bison Camel Cat Cheetah Crab Crane Deer Dolphin Dove Duck Eagle Falcon
Finch Fox Frog Gecko Giraffe Goose Hamster Hare Hawk Hedgehog Heron Horse Ibis Jaguar Kangaroo Koala
Lark Lemur Leopard Lion Llama Lobster Lynx Moose Mouse Octopus Otter Owl Panda Parrot Pelican
Penguin Pony Puffin Rabbit Raven Robin Salmon Seal Sparrow Squirrel Swan Tiger Turtle Walrus Whale
Zebra
""".split()  # noqa: SIM905

_PLAIN_ROOM = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}")
_KIND = re.compile(rf"[a-z][a-z0-9_-]{{0,{MAX_LENGTH - 1}}}")
_GROUP_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,32}")
_UNSEEN = re.compile("[\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")


class NameRefused(ValueError):  # noqa: N818 (as messages.BadMessage)
    """The peer's fault: a name nobody can have; the text is a sentence that says what to change."""


def room_name(text: str) -> str:
    """The room's name in NFC and without the white space around it, or NameRefused."""
    name = _checked("A room name", text.strip())
    if name in {".", ".."}:
        raise NameRefused('"." and ".." mean folders in a URL: please choose another room name.')
    # Proxies decode %2F before they route, and browsers write "\" as "/": such a room has no URL.
    if "/" in name or "\\" in name:
        raise NameRefused("A room name is a part of a URL: please leave out / and \\.")
    return name


def full_room_name(text: str) -> str:
    """The same with, before a slash, what kind of room it is: a consumer's `kind`, or "user".

    Only for who may name any room. In the path of a WebSocket it would lead into rooms that
    another path guards.
    """
    kind, slash, name = text.strip().partition("/")
    if not slash:
        return room_name(kind)
    if "/" in name:
        raise NameRefused("A room name has at most one slash, behind its kind, as in quiz/first.")
    return f"{kind_name(kind)}/{room_name(name)}"


def kind_name(text: str) -> str:
    """The text, which can be the kind of rooms, or NameRefused."""
    if not _KIND.fullmatch(text):
        raise NameRefused(
            f"A room's kind, before the slash, is 1 to {MAX_LENGTH} small letters, digits, _ and "
            f"-, a letter first, as in quiz/first: not {text[:40]!r}."
        )
    return text


def member_name(text: str) -> str:
    """The same for a person or device. Inner white space becomes one space; "she/her" is fine."""
    return _checked("A name", " ".join(text.split()))


def friendly_name(seed: str) -> str:
    """A made-up name such as "Calm Otter", always the same for one seed."""
    # Not hash(): that is another one in each process.
    digest = hashlib.sha256(seed.encode()).digest()
    return f"{ADJECTIVES[digest[0] % len(ADJECTIVES)]} {ANIMALS[digest[1] % len(ANIMALS)]}"


def group_name(prefix: str, room: str) -> str:
    """The Channels group of a room: ASCII, under 100 characters, another one for each room.

    A plain name can be read in it (`rooms.kitchen`), any other is hashed (`rooms..5f2b…`). The two
    cannot meet: a dot and a hash are longer than any name.
    """
    if not _GROUP_PREFIX.fullmatch(prefix):
        raise ValueError(f"group prefix {prefix!r}: 1 to 32 of a-z, A-Z, 0-9, _ and -")
    if _PLAIN_ROOM.fullmatch(room):
        return f"{prefix}.{room}"
    return f"{prefix}..{hashlib.sha256(room.encode()).hexdigest()}"


def name_key(name: str) -> str:
    """Equal for names that differ only in case, in width or in what cannot be seen."""
    folded = unicodedata.normalize("NFKC", _UNSEEN.sub("", name)).casefold()
    return unicodedata.normalize("NFKC", folded)


class Names:
    """The names that are taken, each once: "Ada", then "Ada 2". A thousand Adas cost no search."""

    def __init__(self) -> None:
        # Key of each taken name: key of the name that was asked for, and the number behind it.
        self._taken: dict[str, tuple[str, int]] = {}
        self._crowds: dict[str, _Crowd] = {}

    def claim(self, wanted: str) -> str:
        """Take the name, or when it is taken the lowest free number behind it."""
        base = key = name_key(wanted)
        if base not in self._taken:
            self._taken[base] = base, 1
            return wanted
        crowd = self._crowds.setdefault(base, _Crowd())
        # More than once only if somebody asked for "Ada 2" outright.
        while key in self._taken:
            number = crowd.next_number()
            name = _numbered(wanted, number)
            key = name_key(name)
        crowd.size += 1
        self._taken[key] = base, number
        return name

    def release(self, name: str) -> None:
        base, number = self._taken.pop(name_key(name))
        if number == 1:
            return
        crowd = self._crowds[base]
        crowd.size -= 1
        heappush(crowd.given_back, number)
        if not crowd.size:
            del self._crowds[base]


@dataclass(slots=True)
class _Crowd:
    """Those who have a number behind the same name."""

    size: int = 0
    last: int = 1
    given_back: list[int] = field(default_factory=list)  # a heap

    def next_number(self) -> int:
        if self.given_back:
            return heappop(self.given_back)
        self.last += 1
        return self.last


def _numbered(name: str, number: int) -> str:
    suffix = f" {number}"
    return name[: MAX_LENGTH - len(suffix)].rstrip(" " + JOINERS) + suffix


def _checked(what: str, text: str) -> str:
    name = unicodedata.normalize("NFC", text) if len(text) <= MAX_RAW_LENGTH else text
    if not name or all(unicodedata.category(char)[0] in "MZ" for char in name):
        raise NameRefused(f"{what} needs something to see: please use a letter, digit or emoji.")
    if len(name) > MAX_LENGTH:
        raise NameRefused(f"{what} has at most {MAX_LENGTH} characters, this one has {len(name)}.")
    for place, char in enumerate(name):
        if not _allowed(char, name[:place], name[place + 1 :]):
            known = unicodedata.name(char, "control, private or half a character")
            raise NameRefused(
                f"{what} cannot have U+{ord(char):04X} ({known}): please leave it out."
            )
    return name


def _allowed(char: str, before: str, after: str) -> bool:
    if char in JOINERS:
        return _joins(before[-1:], after[:1])
    return char not in BLANKS and unicodedata.category(char) not in REFUSED_CATEGORIES


def _joins(before: str, after: str) -> bool:
    """Whether a joiner changes what is seen here; elsewhere it only makes two names out of one.

    Indic scripts need it after a virama, also at the end; Persian and many emoji in between.
    """
    if before and unicodedata.combining(before) == VIRAMA:
        return True
    if not before or not after or after.isspace():
        return False
    is_emoji = before == EMOJI_STYLE or unicodedata.category(before) in {"So", "Sk"}
    return is_emoji or unicodedata.bidirectional(before) == "AL"
