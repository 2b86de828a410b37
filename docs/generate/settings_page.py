"""The settings: each call of `env(…)` in settings.py, and the comment above it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "settings.py"


def section() -> str:
    text = SOURCE.read_text(encoding="utf-8")
    parts = [_part(call, reason) for call, reason in settings(text)]
    return "\n\n".join(parts)


def settings(text: str) -> Iterator[tuple[ast.Call, str]]:
    """Each `env("NAME", …)` with the comment above the statement, or of the one above it."""
    lines, reason, ended = text.splitlines(), "", -2
    for node in ast.parse(text).body:
        if own := _comment(lines, node.lineno - 1):
            reason = own
        elif node.lineno != ended + 1:
            reason = ""
        ended = node.end_lineno or node.lineno
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "env":
                yield call, reason


def _comment(lines: list[str], end: int) -> str:
    start = end
    while start and lines[start - 1].startswith("#"):
        start -= 1
    texts = [line.removeprefix("#").strip() for line in lines[start:end]]
    return " ".join(text for text in texts if not text.startswith("---"))


def _part(call: ast.Call, reason: str) -> str:
    name = ast.literal_eval(call.args[0])
    options = {each.arg: each.value for each in call.keywords}
    facts = [f"default {_default(call.args[1])}", *_range(options)]
    return f"### `{name}`\n\n{'; '.join(facts)}\n\n{reason}".rstrip()


def _default(node: ast.expr) -> str:
    try:
        value: Any = ast.literal_eval(node)
    except ValueError:
        return f"`{ast.unparse(node)}`"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value in ("", []):
        return "none"
    return _number(value) if isinstance(value, int | float) else f"`{value}`"


def _range(options: dict[str | None, ast.expr]) -> Iterator[str]:
    if "low" in options:
        low, high = (ast.literal_eval(options[name]) for name in ("low", "high"))
        yield f"from {_number(low)} to {_number(high)}"
    if "choices" in options:
        yield f"one of {', '.join(ast.literal_eval(options['choices']))}"
    if "wanted" in options:
        yield str(ast.literal_eval(options["wanted"]))


def _number(value: float) -> str:
    return f"{value:,}" if value >= 10_000 else f"{value}"
