"""The echo under the cases of tests/conformance.py, by both ways to a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from realtime.consumers import EchoConsumer
from realtime.serving.workarounds import mend_uvicorn
from realtime.testing import ServerAddress, serving
from tests.conformance import CASES, CLOSING, Case, Frames, frames_of
from tests.raw import CLOSE, upgrade

echo = EchoConsumer.as_asgi()


async def plain_echo(scope: Any, receive: Any, send: Any) -> None:
    """Behind a `send` of its own, as some middleware has it, there is no fast way."""

    async def wrapped(event: Any) -> None:
        await send(event)

    await echo(scope, receive, wrapped)


@pytest.fixture(params=[echo, plain_echo], ids=["fast", "plain"])
async def echoing(request: pytest.FixtureRequest) -> AsyncIterator[ServerAddress]:
    mend_uvicorn()
    async with serving(request.param, lifespan="off") as server:
        yield server


async def answer(server: ServerAddress, case: Case) -> Frames:
    """What came back, all of it. The last close is sent when all else has been heard."""
    offer = [b"Sec-WebSocket-Extensions: " + case.deflate.encode()] if case.deflate else []
    reader, writer = await asyncio.open_connection(server.host, server.port)
    async with asyncio.timeout(10):
        writer.write(upgrade(b"/", *offer))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        heard = b""
        is_polite = case.sent.endswith(CLOSE) and len(case.back) > 1
        writer.write(case.sent.removesuffix(CLOSE) if is_polite else case.sent)
        while is_polite and count(heard) < len(case.back) - 1:
            heard += await reader.read(65_536)
        if is_polite:
            writer.write(CLOSE)
        while data := await reader.read(65_536):
            heard += data
            with contextlib.suppress(AssertionError):  # half a frame: there is more to come
                if frames_of(heard)[-1][0] == CLOSING:
                    writer.write(CLOSE)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return frames_of(heard)


def count(heard: bytes) -> int:
    """Whole frames in it."""
    number = 0
    while len(heard) >= 2:
        size, start = heard[1], 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(heard[2:start], "big")
        if len(heard) < start + size or start > len(heard):
            break
        heard, number = heard[start + size :], number + 1
    return number


@pytest.mark.parametrize("name", CASES)
async def test_the_echo_answers_as_the_rfc_says(echoing: ServerAddress, name: str) -> None:
    case = CASES[name]
    back = await answer(echoing, case)
    if case.back[-1][1] in (b"\x03\xe8", b""):
        assert back == case.back, case.section
    else:  # a failed connection may drop what was to be said before (RFC 6455, 7.1.7)
        assert back[-1] == case.back[-1], case.section
        assert back[:-1] == case.back[: len(back) - 1]


async def test_the_cases_can_fail(echoing: ServerAddress) -> None:
    case = CASES["[1.1] 125 bytes of text"]
    assert await answer(echoing, case) != [(1, b"*" * 124), case.back[-1]]
    assert all(case.back[-1][0] == CLOSING for case in CASES.values())
