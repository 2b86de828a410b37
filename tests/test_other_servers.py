"""The whole application on servers other than uvicorn, as docs/deploy.md says to start it."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.processes import Process
from tests.wire import Client, View

SERVERS = {
    "daphne": ["-b", "127.0.0.1", "-p", "{port}", "app:application"],
    "hypercorn": ["-b", "127.0.0.1:{port}", "app:application"],
    "granian": ["--interface", "asgi", "--workers", "1", "--port", "{port}", "app:application"],
}


@pytest.mark.parametrize("name", SERVERS)
async def test_a_room_works_on_another_server(name: str, start: Callable[..., Process]) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install {name}")
    server = await asyncio.to_thread(start, "-m", name, *SERVERS[name], PYTHONWARNINGS="ignore")
    url = server.ws("/ws/rooms/kitchen/?client=")
    async with connect(f"{url}ada") as ada, connect(f"{url}bo") as bo:
        one, two = Client(ada, View(strict=False)), Client(bo, View(strict=False))
        await one.next("welcome")
        await two.next("welcome")
        await two.send("message", data={"text": "é"}, ref=1)
        assert (await two.next("ack"))["offset"] == 1
        assert (await one.next("message"))["data"] == {"text": "é"}
        await two.say("not JSON")
        assert (await two.next("error"))["code"] == "bad_json"
        # Another process, by the HTTP API, reaches the same room.
        body = {"data": 1}
        async with httpx.AsyncClient(base_url=server.http("")) as other:
            answer = await other.post("/api/rooms/kitchen/messages/", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"offset": 2, "receivers": 2}
        assert (await one.next("message"))["data"] == 1
        await two.send("leave")
        while two.view.member not in (await one.next("presence"))["leaves"]:
            pass
    assert "Traceback" not in server.said()
