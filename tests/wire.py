"""The test kit's client; every frame it gets is checked against docs/schema, looked at or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import jsonschema  # type: ignore[import-untyped, unused-ignore]

from realtime import testing
from realtime.testing import Client, Frame, View, room_url
from realtime.testing.client import TIMEOUT

__all__ = ["TIMEOUT", "Client", "Frame", "View", "joined", "opened", "room_url", "until", "valid"]

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


joined = partial(testing.joined, check=valid)
opened = partial(testing.opened, check=valid)


async def until(condition: Callable[[], object]) -> None:
    """For what the server does on its own, and tells nobody."""
    async with asyncio.timeout(TIMEOUT):
        while not condition():  # noqa: ASYNC110 (a test may look, but is not told)
            await asyncio.sleep(0.005)
