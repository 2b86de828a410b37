"""Lines put into somebody's Python file, at its lists and imports; text in, text out.

Files that do not look as expected are left to their author: Unexpected says what was wrong.
"""

from __future__ import annotations

import ast
import re

NOQA = "  # noqa: E402"


class Unexpected(ValueError):  # noqa: N818 (it is no error of ours)
    """The sentence is for the author of the file."""


def with_entry(source: str, name: str, entry: str) -> str:
    """`source` with `entry` as the last of the list `name`, which has a line for each entry."""
    found = _list(source, name)
    lines = _lines(source)
    if lines[found.end_lineno - 1].strip() != "]":  # type: ignore[operator]
        raise Unexpected(f"its list {name} does not end with a line of its own")
    if found.elts and not _after(lines, found.elts[-1]).startswith(","):
        raise Unexpected(f"there is no comma after the last entry of its list {name}")
    lines.insert(found.end_lineno - 1, f"    {entry},{_newline(source)}")  # type: ignore[operator]
    return "".join(lines)


def with_import(source: str, module: str, names: str) -> str:
    """`source` with an import among those that stand last, in the order of the alphabet."""
    last = _last_imports(source)
    if not last:
        raise Unexpected("it has no import of the kind `from … import …`")
    lines = _lines(source)
    first_later = next((each for each in last if (each.module or "") > module), None)
    place = first_later.lineno - 1 if first_later else last[-1].end_lineno or 0
    noqa = NOQA if any(NOQA in lines[each.lineno - 1] for each in last) else ""
    lines.insert(place, f"from {module} import {names}{noqa}{_newline(source)}")
    return "".join(lines)


def _list(source: str, name: str) -> ast.List:
    for node in _body(source):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if name in names:
                return node.value
    raise Unexpected(f"it has no list {name} = […]")


def _last_imports(source: str) -> list[ast.ImportFrom]:
    found: list[ast.ImportFrom] = []
    is_broken = True
    for node in _body(source):
        if isinstance(node, ast.ImportFrom):
            found = [node] if is_broken else [*found, node]
        is_broken = not isinstance(node, ast.ImportFrom)
    return found


def _body(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise Unexpected(f"it is not Python ({error})") from None


def _after(lines: list[str], node: ast.expr) -> str:
    """What follows a node in its last line; ast counts in bytes."""
    assert node.end_lineno is not None
    return lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode().lstrip()


def _lines(source: str) -> list[str]:
    """As ast counts them: other marks than these end no line of Python."""
    return re.findall(r"[^\n]*\n|[^\n]+$", source)


def _newline(source: str) -> str:
    return "\r\n" if "\r\n" in source else "\n"
