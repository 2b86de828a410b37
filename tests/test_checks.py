"""`python app.py check` names what is wrong in a set-up, and the mend."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.checks.registry import registry
from django.urls import re_path

from realtime import RoomConsumer, checks
from realtime.checks import (
    check_channel_layer,
    check_kinds,
    check_one_process,
    check_ways_around,
    check_websocket_library,
)

Check = Callable[..., Any]
STOCK = "channels.layers.InMemoryChannelLayer"
OURS = "realtime.layers.InMemoryChannelLayer"
REDIS = "channels_redis.core.RedisChannelLayer"


def found(check: Check) -> list[str]:
    """The ids; each finding must say how to mend it."""
    messages = list(check())
    assert all(message.hint for message in messages)
    return [message.id.removeprefix("realtime.") for message in messages]


@pytest.fixture(autouse=True)
def _one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in checks.WORKERS:
        monkeypatch.delenv(name, raising=False)


def test_this_project_has_no_finding() -> None:
    ours = (check_channel_layer, check_one_process, check_websocket_library, check_ways_around)
    for check in (*ours, check_kinds):
        assert found(check) == []


@pytest.mark.parametrize(
    ("layers", "findings"),
    [
        ({"default": {"BACKEND": OURS}}, []),
        ({"default": {"BACKEND": STOCK}}, ["W001"]),
        ({"default": {"BACKEND": REDIS, "CONFIG": {}}}, ["W002"]),
        ({"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer"}}, ["W002"]),
        ({"default": {"BACKEND": "another.Layer"}}, []),
        ({"other": {"BACKEND": OURS}}, ["E001"]),
        ({}, ["E001"]),
        (None, ["E001"]),
    ],
)
def test_the_layer_is_looked_at(settings: Any, layers: Any, findings: list[str]) -> None:
    settings.CHANNEL_LAYERS = layers
    assert found(check_channel_layer) == findings


def test_no_layer_setting_at_all_is_found(settings: Any) -> None:
    del settings.CHANNEL_LAYERS
    assert found(check_channel_layer) == ["E001"]


def test_the_hint_is_the_line_to_write(settings: Any) -> None:
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": STOCK}}
    [message] = check_channel_layer()
    assert message.hint is not None
    line = message.hint.removeprefix("Set ").removesuffix(".")
    names: dict[str, Any] = {}
    exec(line, names)
    settings.CHANNEL_LAYERS = names["CHANNEL_LAYERS"]
    assert found(check_channel_layer) == []


@pytest.mark.parametrize(
    ("name", "value", "several"),
    [
        ("WEB_CONCURRENCY", "2", True),
        ("WEB_CONCURRENCY", " 4 ", True),
        ("WEB_CONCURRENCY", "1", False),
        ("WEB_CONCURRENCY", "", False),
        ("WEB_CONCURRENCY", "many", False),
        ("UVICORN_WORKERS", "2", True),
        ("UVICORN_WORKERS", "1", False),
        ("GUNICORN_CMD_ARGS", "-w 4", True),
        ("GUNICORN_CMD_ARGS", "--bind=:8000 -w4", True),
        ("GUNICORN_CMD_ARGS", "--bind :8000 --workers 4 -k uvicorn", True),
        ("GUNICORN_CMD_ARGS", "--workers=4", True),
        ("GUNICORN_CMD_ARGS", "--workers=1 --threads 4", False),
        ("GUNICORN_CMD_ARGS", "--bind 127.0.0.1:8000", False),
    ],
)
def test_several_workers_are_found(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, several: bool
) -> None:
    monkeypatch.setenv(name, value)
    assert found(check_one_process) == (["E002"] if several else [])


@pytest.mark.parametrize(
    ("hidden", "findings"),
    [
        ({"websockets", "wsproto"}, ["E003"]),
        ({"websockets"}, ["E003"] if importlib.util.find_spec("wsproto") is None else []),
        ({"wsproto"}, []),
    ],
)
def test_a_missing_websocket_library_is_found(
    monkeypatch: pytest.MonkeyPatch, hidden: set[str], findings: list[str]
) -> None:
    def find_spec(name: str) -> Any:
        return None if name in hidden else importlib.util.find_spec(name)

    monkeypatch.setattr(checks, "find_spec", find_spec)
    assert found(check_websocket_library) == findings


def test_django_runs_all_of_them() -> None:
    registered: set[Any] = set(registry.registered_checks)
    assert registered >= {check_channel_layer, check_one_process, check_websocket_library}
    assert run_checks(tags=["realtime"]) == []


def test_a_kind_that_nothing_could_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(RoomConsumer): ...

    class Good(RoomConsumer):
        kind = "quiz"

    class Bad(RoomConsumer):
        kind = "Quiz"

    class Worse(RoomConsumer):
        kind = "team/quiz"

    def only(*consumers: type[RoomConsumer]) -> list[str]:
        patterns = [re_path(r"^ws/own/(?P<room>[^/]+)/$", each.as_asgi()) for each in consumers]
        monkeypatch.setattr("realtime.routing.served", lambda: patterns)
        return found(check_kinds)

    assert only(Plain, Good) == []
    assert only(Plain, Bad, Good, Worse) == ["W004", "W004"]


def test_a_rule_that_another_path_goes_around_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Open(RoomConsumer): ...

    class Ruled(RoomConsumer):
        async def authorize(self, action: str, message: Any = None) -> None: ...

    class Apart(Ruled):
        kind = "apart"

    def only(*consumers: type[RoomConsumer]) -> list[str]:
        patterns = [re_path(r"^ws/own/(?P<room>[^/]+)/$", each.as_asgi()) for each in consumers]
        monkeypatch.setattr("realtime.routing.served", lambda: patterns)
        return found(check_ways_around)

    assert only(Open, Apart) == []
    assert only(Open, Ruled, Apart) == ["W003"]
