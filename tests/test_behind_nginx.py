"""Behind nginx, with the very file that the documents give."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests.processes import ROOT, Process, free_port
from tests.wire import Client, View, until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

FOREIGN = Origin("http://evil.example")

# What nginx wants around a site's file, so that it runs here as anybody.
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """What nginx serves at `port`, and the server behind it."""

    port: int
    server: Process

    @property
    def origin(self) -> Origin:
        return Origin(f"http://127.0.0.1:{self.port}")

    def ws(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"


@contextlib.asynccontextmanager
async def behind_nginx(
    start: Callable[..., Process], folder: Path, **environment: str
) -> AsyncIterator[Site]:
    command = ["app.py", "--host", "127.0.0.1", "--port", "{port}"]
    server = await asyncio.to_thread(start, *command, **environment)
    port = free_port()
    text = (ROOT / "docs/nginx.conf").read_text()
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}")
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    (folder / "site.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    assert NGINX is not None
    configuration = str(folder / "nginx.conf")
    nginx = await asyncio.create_subprocess_exec(NGINX, "-p", str(folder), "-c", configuration)
    try:
        await until(lambda: nginx.returncode is not None or _answers(port))
        assert nginx.returncode is None, (folder / "error.log").read_text()
        yield Site(port, server)
    finally:
        nginx.terminate()
        await nginx.wait()


@pytest.fixture
async def site(start: Callable[..., Process], tmp_path: Path) -> AsyncIterator[Site]:
    async with behind_nginx(start, tmp_path) as site:
        yield site


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").status_code == 200
    except httpx.TransportError:
        return False


async def test_a_page_of_the_site_gets_into_a_room(site: Site) -> None:
    url = site.ws("/ws/rooms/kitchen/")
    async with connect(url, origin=site.origin) as socket:
        client = Client(socket, View())
        await client.next("welcome")
        await client.send("message", data="x" * 60_000, ref=1)
        assert (await client.next("ack"))["offset"] == 1


async def test_a_page_of_another_origin_is_told_why_not(site: Site) -> None:
    url = site.ws("/ws/rooms/kitchen/")
    async with connect(url, origin=FOREIGN) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4403
    assert "evil.example" in closed.value.rcvd.reason
    assert "from 127.0.0.1 refused" in site.server.said()


async def test_the_api_does_not_take_everybody_for_this_machine(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.origin) as client:
        answer = await client.post("/api/rooms/kitchen/messages/", json={"data": 1})
        lied = await client.get("/api/rooms/", headers={"X-Forwarded-For": "127.0.0.1"})
    assert (answer.status_code, lied.status_code) == (403, 403)
    assert "REALTIME_API_TOKEN" in answer.json()["error"]["detail"]


async def test_the_log_names_the_address_that_nginx_saw_and_not_one_that_was_claimed(
    site: Site,
) -> None:
    claimed = {"X-Forwarded-For": "203.0.113.9"}
    url = site.ws("/ws/echo/")
    async with connect(url, additional_headers=claimed, origin=FOREIGN) as socket:
        await socket.wait_closed()
    assert "203.0.113.9" not in site.server.said()


async def test_events_come_as_they_happen(start: Callable[..., Process], tmp_path: Path) -> None:
    token = {"Authorization": "Bearer secret"}
    async with (
        behind_nginx(start, tmp_path, REALTIME_API_TOKEN="secret") as site,
        httpx.AsyncClient(base_url=site.origin, headers=token) as client,
        client.stream("GET", "/api/rooms/kitchen/events/") as stream,
    ):
        lines = stream.aiter_lines()
        assert "event: welcome" in [await anext(lines) for _ in range(3)]
        for number in range(3):
            body = {"data": number}
            posted = await client.post("/api/rooms/kitchen/messages/", json=body)
            assert posted.status_code == 201
            # It is here before the next is said: nothing on the way gathers.
            assert (await next_message(lines))["data"] == number


async def next_message(lines: AsyncIterator[str]) -> Any:
    async with asyncio.timeout(5):
        async for line in lines:
            if line.startswith("data: ") and (data := json.loads(line[6:])).get("type"):
                return data
    raise AssertionError("the stream ended")
