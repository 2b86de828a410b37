"""The whole application over TLS by uvicorn itself: `wss://`, and cookies that are Secure."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.processes import Process


@pytest.fixture
def authority(tmp_path: Path) -> ssl.SSLContext:
    """Trusts the certificate that stands in `tmp_path`."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_a_room_over_tls_is_a_room(
    authority: ssl.SSLContext, tmp_path: Path, start: Callable[..., Process]
) -> None:
    command = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    keys = [
        "--ssl-keyfile",
        str(tmp_path / "key.pem"),
        "--ssl-certfile",
        str(tmp_path / "cert.pem"),
    ]
    server = start(*command, *keys, says="running on https")
    origin = Origin(f"https://localhost:{server.port}")
    async with httpx.AsyncClient(verify=authority, base_url=origin) as browser:
        page = await browser.get("/rooms/kitchen/")
    assert page.status_code == 200
    cookie = page.headers["set-cookie"]
    assert "realtime_device=" in cookie
    assert "Secure" in cookie
    url = f"wss://localhost:{server.port}/ws/rooms/kitchen/"
    headers = {"Cookie": cookie.partition(";")[0]}
    async with connect(url, ssl=authority, origin=origin, additional_headers=headers) as client:
        assert json.loads(await client.recv())["type"] == "welcome"
        text = "x" * 60_000
        await client.send(json.dumps({"type": "message", "data": text, "ref": 1}))
        answers = [json.loads(await client.recv()) for _ in range(2)]
    assert [answer["type"] for answer in answers] == ["ack", "message"]
    assert answers[1]["data"] == text
    assert "Traceback" not in server.said()
