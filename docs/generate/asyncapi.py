"""docs/asyncapi.json: the wire as an AsyncAPI 3 document, made of the same types as the schema."""

from __future__ import annotations

import inspect
import json
from typing import Any, get_args

import msgspec

from realtime.messages import PROTOCOL, BuiltIn, ServerMessage

QUERY = {
    "name": ("string", "What to be called; made up without it."),
    "client": ("string", "A secret of this device, by which it stays one member."),
    "history": ("integer", "How many recent messages to send first."),
    "epoch": ("string", "With `offset`: go on where this client was."),
    "offset": ("integer", "The last message that this client has."),
}
Message = dict[str, Any]


def document() -> dict[str, Any]:
    sent, received = _messages(ServerMessage, "server"), _messages(BuiltIn, "client")
    schemas = _schemas((*get_args(ServerMessage), *get_args(BuiltIn)))
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "localhost:8000", "protocol": "ws"}},
        "channels": {"room": _channel([*sent, *received])},
        "operations": {
            "tell": _operation("send", sent, "What the server sends."),
            "hear": _operation("receive", received, "What a client may send."),
        },
        "components": {"messages": {**sent, **received}, "schemas": schemas},
    }


def text() -> str:
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _info() -> dict[str, Any]:
    return {
        "title": "Rooms",
        "version": f"{PROTOCOL}.0.0",
        "description": "The wire of ws/rooms/<room>/: JSON in text frames, told apart by `type`.",
        "license": {"name": "MIT"},
    }


def _channel(names: list[str]) -> dict[str, Any]:
    properties = {name: {"type": kind, "description": what} for name, (kind, what) in QUERY.items()}
    return {
        "address": "/ws/rooms/{room}/",
        "parameters": {"room": {"description": "Any name of 1 to 64 characters."}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"ws": {"query": {"type": "object", "properties": properties}}},
    }


def _operation(action: str, messages: dict[str, Message], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/room"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/room/messages/{name}"} for name in messages],
    }


def _messages(union: Any, side: str) -> dict[str, Message]:
    """By a name that is unique, for both sides have a `message` and a `signal`."""
    return {
        f"{side}.{struct.__struct_config__.tag}": {
            "name": struct.__struct_config__.tag,
            "summary": inspect.cleandoc(struct.__doc__ or "").splitlines()[0],
            "payload": {"$ref": f"#/components/schemas/{struct.__name__}"},
        }
        for struct in get_args(union)
    }


def _schemas(structs: tuple[Any, ...]) -> dict[str, Any]:
    _, parts = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    # The raw parts name their schema themselves, for docs/schema.
    whole = json.dumps(parts).replace("#/$defs/", "#/components/schemas/")
    schemas: dict[str, Any] = json.loads(whole)
    for part in schemas.values():
        part["description"] = inspect.cleandoc(part.get("description", ""))
    return schemas
