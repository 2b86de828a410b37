"""The messages of the wire: one table for each struct of realtime/messages.py."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from docs.generate.tables import table
from realtime.messages import BuiltIn, Count, MemberInfo, ServerMessage


def client() -> str:
    return "\n\n".join(map(_part, get_args(BuiltIn)))


def server() -> str:
    return "\n\n".join(map(_part, (*get_args(ServerMessage), MemberInfo, Count)))


def _part(struct: Any) -> str:
    tag = struct.__struct_config__.tag
    title = f"`{tag}`" if tag else f"{struct.__name__}: a part of others"
    about = inspect.cleandoc(struct.__doc__ or "")
    rows = list(_rows(struct))
    fields = table(("field", "", "what"), rows) if rows else "No fields."
    return f"### {title}\n\n{about}\n\n{fields}"


def _rows(struct: Any) -> Iterator[tuple[str, str, str]]:
    (_, schema), *_ = ((None, _schema(struct)),)
    required = schema.get("required", [])
    for name, kind in schema["properties"].items():
        if name != "type":
            yield f"`{name}`", "" if name in required else "optional", _words(kind)


def _schema(struct: Any) -> dict[str, Any]:
    _, parts = msgspec.json.schema_components([struct], ref_template="{name}")
    found: dict[str, Any] = parts[struct.__name__]
    return found


def _words(kind: dict[str, Any]) -> str:
    """A JSON Schema in a few words."""
    if "$ref" in kind:
        return str(kind["$ref"]).rpartition("/")[2]
    if "anyOf" in kind:
        return " or ".join(_words(each) for each in kind["anyOf"])
    if "prefixItems" in kind:
        return f"[{', '.join(_words(each) for each in kind['prefixItems'])}]"
    if kind.get("type") == "array":
        return f"list of {_words(kind.get('items', {}))}"
    return f"{kind.get('type', 'any JSON')}{_bounds(kind)}"


def _bounds(kind: dict[str, Any]) -> str:
    if "maxLength" in kind:
        return f", {kind.get('minLength', 0)} to {kind['maxLength']} characters"
    return ", below 2**53" if "maximum" in kind else ""
