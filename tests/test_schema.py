"""docs/schema is what the types of realtime/messages.py say, as JSON Schema (draft 2020-12).

To write the files anew: python -m tests.test_schema
"""

import inspect
import json
from pathlib import Path
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped, unused-ignore]
import msgspec
import pytest

from realtime.codec import encode
from realtime.messages import CUSTOM_TYPE, BuiltIn, MemberInfo, Ref, ServerMessage
from tests.test_codec import CLIENT_FRAMES, HOSTILE, SERVER_FRAMES

FOLDER = Path(__file__).parent.parent / "docs" / "schema"


def components(*types: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    first, defs = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    for part in defs.values():
        part["description"] = inspect.cleandoc(part["description"])
    return list(first), defs


def document(title: str, defs: dict[str, Any], frames: list[str]) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "anyOf": [{"$ref": f"#/$defs/{frame}"} for frame in frames],
        "$defs": defs,
    }


def client() -> dict[str, Any]:
    """The messages of the package, and any other `type` for those of an application."""
    (_, ref), defs = components(BuiltIn, Ref)
    built_in = [cls.__struct_config__.tag for cls in get_args(BuiltIn)]
    defs["Custom"] = {
        "title": "Custom",
        "description": "A type of the application's own with any fields, for on_<type>.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "pattern": CUSTOM_TYPE, "not": {"enum": built_in}},
            "ref": ref,
        },
        "required": ["type"],
    }
    return document("Client to server", defs, [c.__name__ for c in get_args(BuiltIn)] + ["Custom"])


def server() -> dict[str, Any]:
    _, defs = components(ServerMessage, MemberInfo)
    return document("Server to client", defs, [c.__name__ for c in get_args(ServerMessage)])


SCHEMAS = {"client": client, "server": server}


def as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def is_valid(frame: Any, schema: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(schema).is_valid(frame))


@pytest.mark.parametrize("side", SCHEMAS)
def test_the_committed_schema_is_what_the_types_say(side: str) -> None:
    committed = (FOLDER / f"{side}.json").read_text(encoding="utf-8")
    assert committed == as_text(SCHEMAS[side]()), "run: python -m tests.test_schema"


@pytest.mark.parametrize("side", SCHEMAS)
def test_each_schema_is_one_and_describes_every_message(side: str) -> None:
    schema = SCHEMAS[side]()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert all(part["description"] for part in schema["$defs"].values())


@pytest.mark.parametrize("frame", [frame for frame, _ in CLIENT_FRAMES.values()], ids=CLIENT_FRAMES)
def test_every_client_example_is_valid(frame: str) -> None:
    assert is_valid(json.loads(frame), client())


@pytest.mark.parametrize(
    "message", [message for message, _ in SERVER_FRAMES.values()], ids=SERVER_FRAMES
)
def test_every_server_example_is_valid(message: ServerMessage) -> None:
    assert is_valid(json.loads(encode(message)), server())


# Of two equal keys a JSON reader sees the last only. And `$` is the end of the text in the regular
# expressions of JSON Schema (ECMA-262), but in those of Python also before a last newline.
UNSEEN = ("two types", "a type and a newline")
MISSHAPEN = {
    name: frame
    for name, (frame, code, *_) in HOSTILE.items()
    if code in ("bad_shape", "unknown_type") and name not in UNSEEN
}


@pytest.mark.parametrize("frame", MISSHAPEN.values(), ids=MISSHAPEN)
def test_what_decode_finds_misshapen_is_not_valid(frame: str) -> None:
    assert not is_valid(json.loads(frame), client())


@pytest.mark.parametrize("message", [{**f} for _, f in SERVER_FRAMES.values()], ids=SERVER_FRAMES)
def test_a_server_message_without_its_type_is_not_valid(message: dict[str, Any]) -> None:
    del message["type"]
    assert not is_valid(message, server())


def test_a_welcome_with_a_wrong_roster_is_not_valid() -> None:
    welcome = SERVER_FRAMES["welcome"][1]
    assert not is_valid({**welcome, "members": [{"id": 1}]}, server())
    assert not is_valid({**welcome, "messages": ["text"]}, server())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for side, schema in SCHEMAS.items():
        (FOLDER / f"{side}.json").write_text(as_text(schema()), encoding="utf-8", newline="\n")
