"""What a scrape says is what happened: known messages and closes on a real server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse
from websockets.asyncio.client import ClientConnection, connect

from realtime import counters
from realtime.testing import ServerAddress
from tests import wire
from tests.processes import ROOT, Process

Samples = dict[tuple[str, str], float]

# What a process of this kind says besides; Prometheus' own names.
FOREIGN = ("process_", "python_")


def samples(text: str) -> Samples:
    """By name and the one label, if there is one."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def scraped(process: Process) -> Samples:
    answer = httpx.get(process.http("/metrics"), timeout=10)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return samples(answer.text)


@pytest.fixture
def process(start: Callable[..., Process]) -> Process:
    # What is told about members comes at once, and not after a test has counted.
    at_once = {"REALTIME_PRESENCE_INTERVAL": "0"}
    return start("-m", "uvicorn", "app:application", "--port", "{port}", **at_once)


async def until_scraped(process: Process, wanted: Mapping[tuple[str, str], float]) -> Samples:
    """The server counts an end when it has seen it, which is later than a client has."""
    for _ in range(200):
        found = await asyncio.to_thread(scraped, process)
        if wanted.items() <= found.items():
            return found
    differs = {key: (found.get(key), value) for key, value in wanted.items()}
    raise AssertionError({key: both for key, both in differs.items() if both[0] != both[1]})


async def joined(process: Process, room: str, name: str) -> ClientConnection:
    socket = await connect(process.ws(f"/ws/rooms/{room}/?name={name}"))
    await heard(socket, "welcome")
    return socket


# All that clients have heard in a test.
frames: list[str] = []


def size_on_the_wire(text: str) -> int:
    """Of a frame from a server: no mask (RFC 6455, section 5.2)."""
    size = len(text.encode())
    return size + (2 if size < 126 else 4)


async def heard(socket: ClientConnection, kind: str) -> Any:
    async with asyncio.timeout(10):
        async for text in socket:
            frames.append(str(text))
            frame = wire.valid(str(text))
            if frame["type"] == kind:
                return frame
    raise AssertionError("the socket has ended")


async def test_a_known_course_of_events_gives_exact_numbers(process: Process) -> None:
    frames.clear()
    fresh = await asyncio.to_thread(scraped, process)
    assert {value for (name, _), value in fresh.items() if name.endswith("_closes_total")} == {0}
    ann, ben = await joined(process, "a", "Ann"), await joined(process, "a", "Ben")
    cat = await joined(process, "b", "Cat")
    for number in range(10):
        await ann.send(json.dumps({"type": "message", "data": "hello", "ref": number}))
        await heard(ann, "ack")
    await cat.send("no JSON")
    for socket in (ann, ben, cat):  # its answer is the last that each gets
        await socket.send('{"type": "resync"}')
        await heard(socket, "welcome")
    found = await until_scraped(
        process,
        {
            ("realtime_connections", ""): 3,
            ("realtime_rooms", ""): 2,
            ("realtime_members", ""): 3,
            ("realtime_event_streams", ""): 0,
            ("realtime_history_messages", ""): 10,
            ("realtime_received_messages_total", ""): 10 + 1 + 3,
            ("realtime_delivered_messages_total", ""): len(frames),
            ("realtime_sent_bytes_total", ""): sum(map(size_on_the_wire, frames)),
            ("realtime_refusals_total", "bad_json"): 1,
            ("realtime_refusals_total", "rate"): 0,
            ("realtime_closes_total", "1000"): 0,
        },
    )
    assert found["realtime_history_bytes", ""] > 10 * len("hello")
    await ann.close(1000)
    await ben.close(4321)
    cat.transport.abort()
    ended = {
        ("realtime_closes_total", "1000"): 1,
        ("realtime_closes_total", "1005"): 1,  # uvicorn's word for one that was cut
        ("realtime_closes_total", "other"): 1,
        ("realtime_closes_total", "1001"): 0,
        ("realtime_connections", ""): 0,
    }
    await until_scraped(process, ended)


async def test_what_a_client_got_is_what_was_delivered(process: Process) -> None:
    sockets = [await connect(process.ws("/ws/echo/")) for _ in range(4)]
    for socket in sockets:
        for size in (10, 100, 1000):
            await socket.send("x" * size)
            await socket.recv()
    frame_heads = 2 + 2 + 4
    await until_scraped(
        process,
        {
            ("realtime_received_messages_total", ""): 12,
            ("realtime_delivered_messages_total", ""): 12,
            ("realtime_sent_bytes_total", ""): 4 * (1110 + frame_heads),
        },
    )
    for socket in sockets:
        await socket.close()


async def test_the_process_and_what_runs_are_told(process: Process) -> None:
    found = await asyncio.to_thread(scraped, process)
    assert found["process_resident_memory_bytes", ""] > 10_000_000
    assert found["realtime_loop_lag_worst_seconds", ""] >= found["realtime_loop_lag_seconds", ""]
    answer = await asyncio.to_thread(httpx.get, process.http("/metrics"))
    [build] = [family for family in parse(answer.text) if family.name == "realtime_build_info"]
    assert build.samples[0].labels.keys() == {"build", "protocol"}


async def test_a_thousand_rooms_and_codes_make_no_line_more(server: ServerAddress) -> None:
    async with httpx.AsyncClient(base_url=server.http("")) as client:
        before = len((await client.get("/metrics")).text.splitlines())
        sockets = [await connect(server.ws(f"/ws/rooms/room-{n}/")) for n in range(30)]
        for number, socket in enumerate(sockets):
            await socket.close(4000 + number)
        counters.refusals["of an application"] += 1
        text = (await client.get("/metrics")).text
        assert len(text.splitlines()) == before
        assert "room-1" not in text
        assert 'realtime_refusals_total{code="other"} 1.0' in text
    del counters.refusals["of an application"]


async def test_handlers_that_raised_are_counted_by_class(server: ServerAddress) -> None:
    counters.crashes["Buggy"] += 3
    async with httpx.AsyncClient() as client:
        found = samples((await client.get(server.http("/metrics"))).text)
    assert found["realtime_handler_errors_total", "Buggy"] == 3
    del counters.crashes["Buggy"]


async def test_openmetrics_is_spoken_to_who_asks_for_it(server: ServerAddress) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with httpx.AsyncClient() as client:
        answer = await client.get(server.http("/metrics"), headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert "realtime_closes" in {family.name for family in parse_openmetrics(answer.text)}  # type: ignore[no-untyped-call]


async def test_names_follow_the_conventions(server: ServerAddress) -> None:
    async with httpx.AsyncClient() as client:
        text = (await client.get(server.http("/metrics"))).text
    for family in parse(text):
        if family.name.startswith(FOREIGN):
            continue
        assert family.name.startswith("realtime_")
        assert family.documentation.endswith(".")
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
        else:
            assert not family.name.endswith("_total")


async def test_strangers_get_no_numbers(server: ServerAddress, settings: Any) -> None:
    async with httpx.AsyncClient(base_url=server.http("")) as client:
        behind_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
        assert (await client.get("/metrics", headers=behind_a_proxy)).status_code == 403
        settings.REALTIME_API_TOKEN = "a token of many letters"
        assert (await client.get("/metrics")).status_code == 401
        allowed = {"Authorization": "Bearer a token of many letters"}
        assert (await client.get("/metrics", headers=allowed)).status_code == 200
        assert (await client.post("/metrics", headers=allowed)).status_code == 405


async def test_the_documents_explain_each_metric_and_no_other(server: ServerAddress) -> None:
    async with httpx.AsyncClient() as client:
        text = (await client.get(server.http("/metrics"))).text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE realtime_")}
    documents = (ROOT / "docs/operations.md").read_text()
    assert set(re.findall(r"realtime_[a-z_]+", documents)) == names
