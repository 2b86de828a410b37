"""A project's files, read and never run: its Python, its pages, and what its settings say."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

# Not the project's own, or not what it serves.
SKIPPED = {"node_modules", "site-packages", "__pycache__", "tests", "docs", "benchmarks", "build"}
PACKAGE = Path(__file__).resolve().parent.parent
PAGES = {".html", ".js", ".mjs", ".ts", ".jsx", ".tsx", ".vue"}

# A file above it is no source, and a folder with more files is not one project.
LARGEST = 500_000  # bytes
MOST = 5_000


class Source:
    """One file. `place(node)` is what an editor opens: `chat/consumers.py:12`."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name
        self.text = path.read_text(encoding="utf-8", errors="replace")

    @cached_property
    def tree(self) -> ast.Module:
        """Empty where it is not Python that this Python can read."""
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError):
            return ast.Module([], [])

    @property
    def module(self) -> str:
        """The name by which the project imports it."""
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def place(self, node: ast.AST | int) -> str:
        line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        return f"{self.name}:{line}"


class Project:
    """All sources below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = [Source(path, path.relative_to(folder).as_posix()) for path in _files(folder)]
        self.python = [source for source in found if source.path.suffix == ".py"]
        self.pages = [source for source in found if source.path.suffix in PAGES]

    @cached_property
    def settings(self) -> list[Source]:
        """The settings module, or all of a package of them."""
        names = ("settings.py", "settings/")
        return [s for s in self.python if f"/{s.name}".rpartition("/")[2] == "settings.py"] or [
            source for source in self.python if names[1] in f"/{source.name}"
        ]

    def setting(self, name: str) -> Iterator[tuple[Source, ast.expr]]:
        """Each value that the settings give to `name`, or add to it."""
        for source in self.settings:
            for node in ast.walk(source.tree):
                targets = node.targets if isinstance(node, ast.Assign) else []
                if isinstance(node, ast.AugAssign | ast.AnnAssign):
                    targets = [node.target]
                if name in map(dotted, targets):
                    value = getattr(node, "value", None)
                    if isinstance(value, ast.expr):
                        yield source, value


def strings(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each, each.value


def dotted(node: ast.AST) -> str:
    """`self.channel_layer.group_add`; of anything else but names, what is legible."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def last(node: ast.AST) -> str:
    return dotted(node).rpartition(".")[2]


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def own_calls(function: ast.AST) -> Iterator[ast.Call]:
    """Those that run as the function runs: not those of functions inside of it."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(child, ast.Call):
            yield child
        yield from own_calls(child)


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for root, folders, files in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED
            and not name.startswith(".")
            and not (here / name / "pyvenv.cfg").exists()
            and (here / name).resolve() != PACKAGE
        )
        for name in sorted(files):
            path = here / name
            wanted = path.suffix in PAGES | {".py"} and ".min." not in name
            if wanted and not name.startswith("test_") and path.stat().st_size <= LARGEST:
                count += 1
                if count > MOST:
                    return
                yield path
