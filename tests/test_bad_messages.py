"""Every field of every message that a browser may send, with everything that can be wrong with it.

The fields come from the types in realtime/messages.py, so that a new one is tried by itself, and
what is legal in one comes from docs/schema/client.json, which is made of the same types. All goes
over real sockets, and each frame that comes back is checked against docs/schema/server.json.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, get_args

import pytest
import pytest_asyncio
from channels.routing import ProtocolTypeRouter
from django.urls import re_path

from realtime.codec import MAX_DEPTH
from realtime.lifespan import Lifespan
from realtime.messages import BuiltIn
from realtime.room_consumer import RoomConsumer
from realtime.routing import websocket_router
from realtime.testing import ServerAddress, serving
from tests.test_schema import client as client_schema
from tests.test_schema import is_valid
from tests.wire import Client, Frame, joined, opened, room_url

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Own(RoomConsumer):
    """With a message of its own, that says what it got."""

    async def on_own(self, message: dict[str, Any]) -> None:
        self.publish(message.get("any"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[ServerAddress]:
    pattern = re_path(r"^ws/rooms/(?P<room>[^/]+)/?$", Own.as_asgi())
    application = {"websocket": websocket_router([pattern]), "lifespan": Lifespan()}
    async with serving(ProtocolTypeRouter(application)) as address:
        yield address


@pytest.fixture(autouse=True)
def _no_limit_of_rate(settings: Any) -> None:
    settings.REALTIME_RATE_LIMIT = settings.REALTIME_RATE_BURST = 1_000_000


# What is tried: as JSON text, for much of it is nothing that Python could say.

MISSING, TWICE = "missing", "a key that stands twice"

VALUES = {
    "null": "null",
    "true": "true",
    "a whole number": "7",
    "a negative number": "-7",
    "a fraction": "1.5",
    "2**53": str(2**53),
    "a text": '"text"',
    "an empty text": '""',
    "an array": "[1]",
    "an object": '{"a":1}',
    "a text of 64": '"' + "é" * 64 + '"',
    "a text of 65": '"' + "é" * 65 + '"',
    "a long text": '"' + "a" * 60_000 + '"',
    "a large object": '{"a":"' + "a" * 3_000 + '"}',
    "32 levels": '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH,
    "33 levels": '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
    "30,000 levels": "[" * 30_000 + "]" * 30_000,
    "__proto__ as a text": '"__proto__"',
    "__proto__ as a key": '{"__proto__":{"admin":true},"constructor":{"prototype":1}}',
    "bidi marks": '"\u202eevil\u2066"',
    "bidi marks as a key": '{"\u202eevil":1}',
    "NUL": r'"a\u0000b"',
    "NUL as a key": r'{"a\u0000b":1}',
    "NUL, raw": '"a\x00b"',
    "half a character": r'"\ud800"',
    "half a character as a key": r'{"\udc00":1}',
    "half a character inside": r'[["\ud800"]]',
    "1e400": "1e400",
    "1e400 inside": '{"a":[1e400]}',
    "a number of 401 digits": "1" + "0" * 400,
    "a number of 4,301 digits": "9" * 4301,
    "NaN": "NaN",
    "no value": "",
    "two values": "1 2",
    "a key inside that stands twice": '{"a":1,"a":2}',
    MISSING: "",
    TWICE: "",
}

# No JSON, so that nobody can say where the field ends.
NO_JSON = {"NUL, raw", "no value", "two values"}

# JSON by its grammar, and nothing that could be sent on: refused in every field.
UNSENDABLE = {name for name in VALUES if name.startswith(("half", "1e400", "NaN"))} | {
    "a number of 4,301 digits"
}
LEVELS = {"32 levels": 32, "33 levels": 33, "30,000 levels": 30_000}
DEEPEST_READ = 900  # near there the decoder itself gives up

# What any JSON may be, and a browser gets as it was sent.
READABLE = VALUES.keys() - NO_JSON - UNSENDABLE - LEVELS.keys() - {MISSING, TWICE}

# A message of each type, good in every field. ME stands for who sends it.
ME = "{me}"
GOOD: dict[str, dict[str, Any]] = {
    "message": {"data": "hi", "ref": 1},
    "signal": {"data": "hi", "to": ME},
    "state": {"state": {"mood": 1}},
    "resync": {},
    "leave": {},
    "pong": {},
    "own": {"any": "hi", "ref": 1},
}
SCHEMA = client_schema()
FIELDS = [(kind, field) for kind, good in GOOD.items() for field in ("type", *good)]


@dataclass(frozen=True)
class Case:
    kind: str
    field: str
    fault: str
    me: str

    @property
    def frame(self) -> str:
        fields = {"type": self.kind, **GOOD[self.kind]}
        texts = {name: json.dumps(value).replace(ME, self.me) for name, value in fields.items()}
        good = texts.pop(self.field, "1")
        pairs = [f'"{name}":{text}' for name, text in texts.items()]
        times = {MISSING: 0, TWICE: 2}.get(self.fault, 1)
        bad = f'"{self.field}":{VALUES[self.fault] if times == 1 else good}'
        return "{" + ",".join([*pairs, *[bad] * times]) + "}"

    @property
    def wanted(self) -> tuple[str, str] | None:
        """Code and path of the error; None where it is legal, and has to be taken."""
        path = f"$.{self.field}"
        if self.fault in NO_JSON:
            return "bad_json", "$"
        if self.fault in UNSENDABLE:
            return "bad_json", path
        if self._is_too_deep:
            return "too_deep", path
        if self.field == "type" and self.fault != TWICE:
            # A text may name a handler; there is none of any of these names.
            return "unknown_type" if VALUES[self.fault][:1] == '"' else "bad_shape", path
        if not is_valid(json.loads(self.frame), SCHEMA):
            return "bad_shape", path
        return self._wanted_of_legal(path)

    @property
    def _is_too_deep(self) -> bool:
        """In a field for any JSON or an object; a text is none, however deep it is."""
        levels = LEVELS.get(self.fault, 0)
        # The fields of an own type are one level themselves.
        own = self.kind == "own" and self.field != "ref"
        most = MAX_DEPTH - own if self.field in ("data", "state", "any") else DEEPEST_READ
        return levels > most

    def _wanted_of_legal(self, path: str) -> tuple[str, str] | None:
        """What no schema knows: who is here, and how much a member's state may be."""
        if self.field == "to" and self.fault not in (MISSING, TWICE):
            return "unknown_member", path
        if self.kind == "state" and self.fault == "a large object":
            return "too_large", path
        return None


# Of one member, that has many sockets, each message has its own: a repetition is not said twice.
numbers = itertools.count()


async def until_answered(client: Client) -> list[Frame]:
    """All that comes before the answer to a good message, which must come on the same socket."""
    ref = f"after-{next(numbers)}"
    await client.send("message", data="after", ref=ref)
    frames = []
    while (frame := await client.frame()).get("ref") != ref:
        frames.append(frame)
    await client.next("message")
    return frames


# The messages.


async def test_every_message_and_every_field_of_the_types_is_tried() -> None:
    types = {cls.__struct_config__.tag: cls.__struct_fields__ for cls in get_args(BuiltIn)}
    tried = {kind: tuple(good) for kind, good in GOOD.items() if kind != "own"}
    assert tried == types, "say in GOOD what a good message has in its new field"


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=map(".".join, FIELDS))
async def test_each_fault_of_a_field_is_named_or_the_value_is_legal(
    server: ServerAddress, kind: str, field: str
) -> None:
    async with joined(server, f"{kind}-{field}") as client:
        for fault in VALUES:
            if (kind, fault) == ("leave", TWICE):
                continue  # that is a good one, and ends the socket
            case = Case(kind, field, fault, client.view.member)
            await client.say(case.frame)
            frames = await until_answered(client)
            errors = [
                (frame["code"], frame["path"]) for frame in frames if frame["type"] == "error"
            ]
            assert errors == ([case.wanted] if case.wanted else []), fault


@pytest.mark.parametrize("kind", sorted(GOOD.keys() - {"leave"}))
@pytest.mark.parametrize("value", ["1", '{"a":1}', "null"])
async def test_a_field_that_nobody_knows_is_ignored_whatever_it_is_called(
    server: ServerAddress, kind: str, value: str
) -> None:
    async with joined(server, kind) as client:
        for name in ("__proto__", "constructor", "", "\u202e", "a" * 50_000):
            good = Case(kind, "type", TWICE, client.view.member).frame
            await client.say(f'{good[:-1]},"{name}":{value}}}')
            assert [f for f in await until_answered(client) if f["type"] == "error"] == []


@pytest.mark.parametrize("fault", sorted(READABLE))
async def test_what_is_legal_comes_through_as_it_was(server: ServerAddress, fault: str) -> None:
    async with joined(server, "through") as client:
        for kind, field in (("message", "data"), ("own", "any"), ("signal", "data")):
            await client.say(Case(kind, field, fault, client.view.member).frame)
            heard = [f["data"] for f in await until_answered(client) if "data" in f]
            assert heard == [json.loads(VALUES[fault])], kind


# The address.

ADDRESS = ("name", "client", "history", "epoch", "offset")

# As they stand in a query, and whether each is a name and a whole number.
QUERY = {
    "text": (True, False),
    "7": (True, True),
    "": (True, False),
    "1.5": (True, False),
    "-7": (True, False),
    "1e400": (True, False),
    "%D9%A7": (True, False),  # a digit, in Arabic
    "9" * 15: (True, True),
    "9" * 401: (False, False),
    "a" * 60_000: (False, False),
    "[" * 10_000: (False, False),
    "__proto__": (True, False),
    "%7B%22a%22%3A1%7D": (True, False),
    "%E2%80%AEevil": (False, False),
    "a%00b": (False, False),
    "%ED%A0%80": (False, False),
    "%FF": (False, False),
    "%": (True, False),
}


@pytest.mark.parametrize("field", ADDRESS)
async def test_each_fault_of_an_address_is_named_and_keeps_nobody_out(
    server: ServerAddress, field: str
) -> None:
    for value, (is_name, is_number) in QUERY.items():
        query = f"{field}={value}" + ("&offset=0" if field == "epoch" else "")
        async with opened(f"{room_url(server, 'address')}?{query}") as client:
            assert (await client.frame())["type"] == "welcome"
            frames = await until_answered(client)
        errors = [(frame["code"], frame["path"]) for frame in frames if frame["type"] == "error"]
        wrong = {"name": ("bad_name", "name")} if not is_name else {}
        if not is_number:
            wrong |= {name: ("bad_shape", name) for name in ("history", "offset")}
        # `client` and `epoch` may be anything: they are compared, and shown to nobody.
        assert errors == ([wrong[field]] if field in wrong else []), value[:40]


async def test_of_a_field_that_stands_twice_in_an_address_the_last_counts(
    server: ServerAddress,
) -> None:
    twice = "&".join(f"{field}=%00&{field}=7" for field in ADDRESS)
    async with opened(f"{room_url(server, 'address')}?{twice}") as client:
        assert (await client.frame())["members"][0]["name"] == "7"
        assert not [f for f in await until_answered(client) if f["type"] == "error"]
