"""A server that lives, and one that should be sent people: two different answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from realtime import consumer, lag, phase
from realtime.phase import Phase
from realtime.testing import ServerAddress
from tests.crowd import Client
from tests.processes import Process

CHATTERS, ROOM_SIZE = 200, 20


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    phase.enter(Phase.SERVING)


async def asked(server: ServerAddress, path: str) -> tuple[int, dict[str, str]]:
    async with httpx.AsyncClient() as client:
        answer = await client.get(server.http(path))
    return answer.status_code, answer.json()


async def test_a_server_that_serves_lives_and_is_ready(server: ServerAddress) -> None:
    assert await asked(server, "/healthz") == (200, {"status": "ok"})
    assert await asked(server, "/readyz") == (200, {"status": "ready"})


@pytest.mark.parametrize("state", [Phase.STARTING, Phase.STOPPING])
async def test_one_that_starts_or_stops_lives_and_is_not_ready(
    server: ServerAddress, state: Phase
) -> None:
    phase.enter(state)
    status, answer = await asked(server, "/readyz")
    assert (status, answer["status"]) == (503, "not ready")
    assert answer["reason"] == f"The server is {state.value}."
    assert (await asked(server, "/healthz"))[0] == 200


async def test_one_that_is_full_is_not_ready(server: ServerAddress, settings: Any) -> None:
    settings.REALTIME_MAX_CONNECTIONS = 1
    client = await Client.open(server.port, "/ws/echo/")
    assert (await asked(server, "/readyz"))[1][
        "reason"
    ] == "This server holds 1 connection, and not one is free."
    client.vanish()
    async with asyncio.timeout(5):
        while consumer.live:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    assert (await asked(server, "/readyz"))[0] == 200


@pytest.mark.parametrize(
    ("latest", "worst", "reason"),
    [
        (1.26, 1.26, "The loop is 1.3 s late."),
        (0.0, 5.5, "The loop was 5.5 s late in the last minute."),
    ],
)
async def test_one_whose_loop_is_late_is_not_ready(
    server: ServerAddress,
    monkeypatch: pytest.MonkeyPatch,
    latest: float,
    worst: float,
    reason: str,
) -> None:
    monkeypatch.setattr(lag, "latest", lambda: latest)
    monkeypatch.setattr(lag, "worst", lambda: worst)
    assert await asked(server, "/readyz") == (503, {"status": "not ready", "reason": reason})


async def test_a_hiccup_is_forgiven(server: ServerAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "latest", lambda: 0.1)
    monkeypatch.setattr(lag, "worst", lambda: 1.5)
    assert (await asked(server, "/readyz"))[0] == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_both_answer_without_a_token(server: ServerAddress, settings: Any, path: str) -> None:
    settings.REALTIME_API_TOKEN = "a token of many letters"
    async with httpx.AsyncClient() as client:
        answer = await client.get(server.http(path), headers={"X-Forwarded-For": "203.0.113.9"})
        assert answer.status_code == 200
        assert "token" not in answer.text
        assert "no-store" in answer.headers["cache-control"]
        assert (await client.head(server.http(path))).status_code == 200


async def test_it_answers_within_a_second_while_200_chat(start: Callable[..., Process]) -> None:
    server = start("-m", "uvicorn", "app:application", "--port", "{port}", "--log-level", "warning")
    clients = [
        await Client.open(server.port, f"/ws/rooms/{number // ROOM_SIZE}/")
        for number in range(CHATTERS)
    ]
    for client in clients:
        client.parses = False
    chat = asyncio.create_task(talk(clients))
    slowest = await asyncio.to_thread(slowest_answer, server, 20)
    chat.cancel()
    assert slowest < 1
    for client in clients:
        client.vanish()


async def talk(clients: list[Client]) -> None:
    """Everybody says something each second or so: some 4,000 deliveries."""
    while True:
        for client in clients:
            client.send('{"type": "message", "data": {"text": "What a crowd, and how it talks"}}')
            await asyncio.sleep(1 / CHATTERS)


def slowest_answer(server: Process, times: int) -> float:
    slowest = 0.0
    for path in ("/healthz", "/readyz") * (times // 2):
        begin = time.monotonic()
        assert httpx.get(server.http(path), timeout=10).status_code == 200
        slowest = max(slowest, time.monotonic() - begin)
    return slowest
