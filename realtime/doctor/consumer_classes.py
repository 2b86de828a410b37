"""The mistakes that are made in consumers, and by who sends to them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from realtime.doctor.finding import Finding
from realtime.doctor.mistakes import MISTAKES
from realtime.doctor.sources import Project, Source, calls, dotted, last, own_calls

SYNC = {"WebsocketConsumer", "JsonWebsocketConsumer", "SyncConsumer"}
BLOCKING = re.compile(r"time\.sleep|requests\.(get|post|put|patch|delete|request)|urlopen")
# Of a manager or a queryset: each asks the database, and each has a twin with an `a`.
ORM = re.compile(
    "get|create|first|last|count|exists|get_or_create|update_or_create|bulk_create|delete|update"
    "|earliest|latest|aggregate|in_bulk"
)
THREADS = re.compile(r"^\s*(?:import|from) (threading|paho|schedule|gpiozero|serial)", re.MULTILINE)
# What a person typed, as the end of the expression that goes into a group's name.
TYPED = re.compile(r"(name|room|slug|topic)$|kwargs\.?\w*$")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def look(project: Project) -> Iterator[Finding]:
    for source in project.python:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.AsyncFunctionDef):
                yield from _async_code(source, node)
            elif isinstance(node, ast.ClassDef) and _is_consumer(node):
                yield from _consumer(source, node)
        yield from _threads(source)


def _is_consumer(node: ast.ClassDef) -> bool:
    return any(last(base).endswith("Consumer") for base in node.bases)


def _consumer(source: Source, node: ast.ClassDef) -> Iterator[Finding]:
    if any(last(base) in SYNC for base in node.bases):
        yield MISTAKES["sync-consumer"].at(source.place(node))
    for function in node.body:
        if isinstance(function, Function) and function.name == "receive":
            yield from _receive(source, node, function)
    yield from _groups(source, node)


def _receive(source: Source, node: ast.ClassDef, function: Function) -> Iterator[Finding]:
    arguments = function.args
    names = {each.arg for each in (*arguments.args, *arguments.kwonlyargs)}
    is_json = any("Json" in last(base) for base in node.bases)
    if "bytes_data" not in names and not arguments.kwarg and not is_json:
        yield MISTAKES["no-bytes-data"].at(source.place(function))
    guarded = {
        id(c) for each in ast.walk(function) if isinstance(each, ast.Try) for c in calls(each)
    }
    for call in calls(function):
        if dotted(call.func) in ("json.loads", "loads") and id(call) not in guarded:
            yield MISTAKES["bad-json"].at(source.place(call))


def _groups(source: Source, node: ast.ClassDef) -> Iterator[Finding]:
    used = [each for each in ast.walk(node) if isinstance(each, ast.Attribute)]
    added = [each for each in used if each.attr == "group_add"]
    if added and not any(each.attr == "group_discard" for each in used):
        yield MISTAKES["no-discard"].at(source.place(added[0]))
    assigned = [each for each in ast.walk(node) if isinstance(each, ast.Assign)]
    for assign in assigned:
        is_group = "group" in last(assign.targets[0])
        if is_group and any(TYPED.search(part) for part in _typed(assign.value)):
            yield MISTAKES["group-name"].at(source.place(assign))


def _typed(value: ast.expr) -> list[str]:
    """The expressions that are put into a text."""
    if isinstance(value, ast.JoinedStr):
        return [ast.unparse(v.value) for v in value.values if isinstance(v, ast.FormattedValue)]
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod | ast.Add):
        return [ast.unparse(value.right)]
    return []


def _async_code(source: Source, function: ast.AsyncFunctionDef) -> Iterator[Finding]:
    for call in own_calls(function):
        name = dotted(call.func)
        if last(call.func) == "async_to_sync":
            yield MISTAKES["async-to-sync"].at(source.place(call))
        elif BLOCKING.fullmatch(name):
            yield MISTAKES["blocking"].at(
                source.place(call), f"{name}() in async code: nobody hears anything while it lasts."
            )
        elif _is_query(call):
            yield MISTAKES["sync-orm"].at(source.place(call))


def _is_query(call: ast.Call) -> bool:
    """`Model.objects.….get(…)`; a query that is only put together asks nothing yet."""
    return (
        isinstance(call.func, ast.Attribute)
        and ORM.fullmatch(call.func.attr) is not None
        and any(
            isinstance(each, ast.Attribute) and each.attr == "objects"
            for each in ast.walk(call.func.value)
        )
    )


def _threads(source: Source) -> Iterator[Finding]:
    if not THREADS.search(source.text):
        return
    for call in calls(source.tree):
        if last(call.func) == "async_to_sync" and call.args and last(call.args[0]) == "group_send":
            yield MISTAKES["thread-send"].at(source.place(call))
