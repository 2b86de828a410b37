"""Bodies of requests: what is too large is refused before it lies on the disk."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import override_settings

from realtime.bodies import BodyLimit
from realtime.testing import ServerAddress
from tests.raw import request, talk

LIMIT = 65_536


async def answer(server: ServerAddress, *headers: bytes, body: bytes = b"") -> Any:
    data = request(b"/accounts/login/", *headers, method=b"POST", body=body)
    with override_settings(REALTIME_MAX_BODY_SIZE=LIMIT):
        return await asyncio.to_thread(talk, server.port, data)


async def test_a_body_that_is_announced_as_too_large_is_refused_unread(
    server: ServerAddress,
) -> None:
    said = await answer(server, b"Content-Length: 99999999999")
    assert said.status == 413
    assert b"65,536 bytes (REALTIME_MAX_BODY_SIZE)" in said.body


async def test_a_body_in_parts_is_refused_where_it_becomes_too_large(
    server: ServerAddress,
) -> None:
    part = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    said = await answer(server, b"Transfer-Encoding: chunked", body=part * 3)
    assert said.status == 413


async def test_a_body_within_the_limit_is_taken(server: ServerAddress) -> None:
    body = b"x" * LIMIT
    assert (await answer(server, b"Content-Length: 65536", body=body)).status == 403  # CSRF's


async def test_what_django_is_given_ends_where_it_is_too_much() -> None:
    kept: list[Any] = []
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while (event := await receive())["type"] == "http.request":
            kept.append(event["body"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * 40_000, "more_body": True}

    async def send(event: Any) -> None:
        sent.append(event)

    with override_settings(REALTIME_MAX_BODY_SIZE=LIMIT):
        await BodyLimit(application)({"headers": []}, receive, send)
    assert kept == [b"x" * 40_000]
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("length", [b"x", b"-1", b""])
async def test_a_length_that_is_no_number_is_the_servers_to_refuse(length: bytes) -> None:
    asked: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope)

    await BodyLimit(application)({"headers": [(b"content-length", length)]}, None, None)
    assert asked
