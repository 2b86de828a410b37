"""The examples' sockets on a real server, and the rules that keep them small and honest."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import threading
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import get_resolver, reverse
from websockets.asyncio.client import ClientConnection, connect
from websockets.sync.client import connect as connect_now

from app import application
from examples import gauge, progress, toy
from examples.urls import urlpatterns
from realtime import publishing
from realtime.testing import ServerAddress, serving
from tests.processes import ROOT, running

FOLDER = ROOT / "examples"
FILES = [
    path
    for path in FOLDER.rglob("*")
    if path.suffix in (".py", ".js", ".html", ".css") and "__pycache__" not in path.parts
]
HOSTILE = [None, 5, "", "no such thing", [], {}, ["left"], {"left": 1}, "x" * 1000]

Frame = dict[str, Any]


class Visitor:
    """One connection to an example, which has been welcomed."""

    def __init__(self, socket: ClientConnection, welcome: Frame) -> None:
        self.socket = socket
        self.welcome = welcome

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def next(self, kind: str) -> Frame:
        """The next frame of that type."""
        async with asyncio.timeout(5):
            while True:
                frame: Frame = json.loads(await self.socket.recv())
                if frame["type"] == kind:
                    return frame

    async def ask(self, kind: str, answer: str, **fields: Any) -> Frame:
        await self.send(kind, **fields)
        return await self.next(answer)


@contextlib.asynccontextmanager
async def visiting(
    server: ServerAddress, path: str, name: str = "", query: str = ""
) -> AsyncIterator[Visitor]:
    """Somebody by that name, who is the same for all connections of that name."""
    url = server.ws(f"/ws/examples/{path}/?name={name}&client={name}&{query}")
    async with connect(url) as socket:
        yield Visitor(socket, json.loads(await socket.recv()))


# --- Poll -----------------------------------------------------------------------------------------


async def test_a_member_has_one_vote_in_however_many_tabs(server: ServerAddress) -> None:
    async with (
        visiting(server, "poll/one", "Ada") as tab,
        visiting(server, "poll/one", "Ada") as other,
        visiting(server, "poll/one", "Bob") as bob,
    ):
        await tab.send("vote", choice="Tea")
        assert (await other.next("message"))["data"] == {"Tea": 1, "Coffee": 0, "Water": 0}
        await other.send("vote", choice="Coffee")
        assert (await other.next("message"))["data"] == {"Tea": 0, "Coffee": 1, "Water": 0}
        await bob.send("vote", choice="Coffee")
        assert (await other.next("message"))["data"] == {"Tea": 0, "Coffee": 2, "Water": 0}


async def test_a_vote_outlives_the_page_and_a_late_joiner_sees_it(server: ServerAddress) -> None:
    async with visiting(server, "poll/late", "Ada") as ada:
        await ada.ask("vote", "message", choice="Water")
        await ada.send("leave")
    async with visiting(server, "poll/late", "Ada") as ada, visiting(server, "poll/late") as bob:
        result = await ada.ask("look", "result")
        assert (result["mine"], result["counts"]["Water"]) == ("Water", 1)
        result = await bob.ask("look", "result")
        assert (result["mine"], result["counts"]["Water"]) == (None, 1)


@pytest.mark.parametrize("choice", HOSTILE)
async def test_what_is_no_choice_is_refused(server: ServerAddress, choice: object) -> None:
    async with visiting(server, "poll/odd") as ada:
        error = await ada.ask("vote", "error", choice=choice)
        assert (error["code"], error["detail"]) == (
            "forbidden",
            "Choose one of Tea, Coffee, Water.",
        )
        assert sum((await ada.ask("look", "result"))["counts"].values()) == 0


@pytest.mark.parametrize("path", ["poll/forged", "buzzer/forged", "toy/forged"])
async def test_no_visitor_can_speak_for_the_server(server: ServerAddress, path: str) -> None:
    async with visiting(server, path) as ada:
        error = await ada.ask("message", "error", data={"Tea": 1000})
        assert error["code"] == "forbidden"
        kind = path.partition("/")[0]
        for other in (f"{kind}%2Fforged", f"{kind}/forged"):
            async with connect(server.ws(f"/ws/rooms/{other}/")) as socket:
                await socket.wait_closed()
                assert socket.close_code in (4400, 4404)
        async with connect(server.ws("/ws/rooms/forged/")) as socket:
            await socket.send('{"type": "message", "data": {"Tea": 1000}, "ref": 1}')
            while json.loads(await socket.recv())["type"] != "ack":
                pass
        await ada.send("resync")
        assert (await ada.next("welcome"))["offset"] == 0


# --- Buzzer ---------------------------------------------------------------------------------------


async def test_the_servers_order_decides_and_nobody_is_in_it_twice(server: ServerAddress) -> None:
    async with (
        visiting(server, "buzzer/order", "Ada") as ada,
        visiting(server, "buzzer/order", "Bob") as bob,
    ):
        assert (await bob.ask("buzz", "message"))["data"] == ["Bob"]
        await bob.send("buzz")
        await ada.next("message")
        assert (await ada.ask("buzz", "message"))["data"] == ["Bob", "Ada"]
        await ada.send("buzz")
        assert (await ada.ask("look", "round"))["order"] == ["Bob", "Ada"]


async def test_of_many_who_buzz_at_once_one_is_first(server: ServerAddress) -> None:
    async with contextlib.AsyncExitStack() as stack:
        crowd = [
            await stack.enter_async_context(visiting(server, "buzzer/crowd", f"n{number}"))
            for number in range(12)
        ]
        await asyncio.gather(*(each.send("buzz") for each in crowd for _ in range(3)))
        orders = [(await each.ask("look", "round"))["order"] for each in crowd]
        order = (await crowd[0].ask("look", "round"))["order"]
        assert len(set(order)) == len(order) == 10
        assert all(order[: len(each)] == each for each in orders)


async def test_only_the_host_starts_a_new_round(server: ServerAddress) -> None:
    async with (
        visiting(server, "buzzer/host", "Bob") as bob,
        visiting(server, "buzzer/host", "Eve") as eve,
    ):
        await eve.ask("buzz", "message")
        assert (await eve.ask("reset", "error"))["code"] == "forbidden"
        assert (await bob.ask("look", "round"))["order"] == ["Eve"]
        await bob.send("reset")
        assert (await eve.next("message"))["data"] == []
        assert (await eve.ask("buzz", "message"))["data"] == ["Eve"]
        await bob.send("leave")
        await bob.socket.wait_closed()
        assert (await eve.ask("reset", "message"))["data"] == []  # she is here longest now


# --- Sensor ---------------------------------------------------------------------------------------


def sensors() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sensor"]


def test_one_thread_feeds_all_and_ends_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauge, "INTERVAL", 0.01)
    monkeypatch.setattr(publishing, "TIMEOUT", 1)

    async def visit() -> None:
        async with (
            serving(application) as server,
            visiting(server, "gauge") as ada,
            visiting(server, "gauge") as bob,
        ):
            for visitor in (ada, bob):
                message = await visitor.next("message")
                assert message["member"] is None
                assert set(message["data"]) == {"temperature", "humidity"}
            assert len(sensors()) == 1
            async with visiting(server, "gauge", query="history=1") as late:
                assert len(late.welcome["messages"]) == 1

    for _ in range(2):  # and a server that starts again has one again
        asyncio.run(visit())
        for thread in sensors():
            thread.join(15)
        assert sensors() == []


def test_a_reload_leaves_one_sensor_and_a_stop_none(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for name in ("realtime", "examples"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("app.py", "settings.py"):
        shutil.copy(ROOT / name, project)
    command = ["-m", "uvicorn", "app:application", "--port", "{port}", "--reload"]
    with running(
        *command, folder=tmp_path, cwd=project, env={"PYTHONPATH": str(project)}
    ) as process:
        url = process.ws("/ws/examples/gauge/")
        with connect_now(url) as socket:
            epoch = json.loads(socket.recv(timeout=10))["epoch"]
            (project / "examples/gauge.py").touch()
            with contextlib.suppress(Exception):
                while True:
                    socket.recv(timeout=30)
        stamps: list[str] = []
        with connect_now(url, open_timeout=30) as socket:
            assert json.loads(socket.recv(timeout=10))["epoch"] != epoch
            while len(stamps) < 4:
                frame = json.loads(socket.recv(timeout=10))
                stamps += [frame["at"]] if frame["type"] == "message" else []
        seconds = [float(stamp[17:23]) for stamp in stamps]
        assert all((b - a) % 60 > 0.9 for a, b in pairwise(seconds))
        assert process.stop() == 0
    assert "Traceback" not in process.said()


# --- Progress -------------------------------------------------------------------------------------


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Jobs do one step of their work for each release."""
    steps = threading.Semaphore(0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(sleep=lambda _: steps.acquire(timeout=5)))
    return steps


async def until_idle(visitor: Visitor) -> None:
    while 100 not in (data := (await visitor.next("message"))["data"]).values() or len(data) > 1:
        pass


async def test_several_jobs_run_and_who_comes_later_sees_them(
    server: ServerAddress, work: threading.Semaphore
) -> None:
    async with visiting(server, "progress") as ada:
        for number in (1, 2):
            await ada.send("start")
            while len(data := (await ada.next("message"))["data"]) < number:
                pass
        assert set(data.values()) == {0}
        async with visiting(server, "progress", query="history=1") as bob:
            [latest] = bob.welcome["messages"]
            assert (latest["member"], latest["data"]) == (None, data)
        work.release(1000)
        await until_idle(ada)
    assert progress.jobs == {}


async def test_no_more_than_five_jobs_run_at_once(
    server: ServerAddress, work: threading.Semaphore
) -> None:
    async with visiting(server, "progress") as ada:
        for _ in range(progress.MOST):
            await ada.send("start")
        assert "5 jobs run already" in (await ada.ask("start", "error"))["detail"]
        work.release(1000)
        await until_idle(ada)


# --- The game -------------------------------------------------------------------------------------


async def test_the_server_moves_the_players(server: ServerAddress) -> None:
    async with (
        visiting(server, "toy/move", "Ada") as ada,
        visiting(server, "toy/move", "Bob") as bob,
    ):
        star = await ada.ask("look", "star")
        assert star["at"] == [2, 2]
        [placed] = (await bob.next("presence"))["updates"]
        assert placed["state"] == {"x": 4, "y": 4, "stars": 0}
        await ada.send("step", to="left")
        [moved] = (await bob.next("presence"))["updates"]
        assert moved["state"] == {"x": 3, "y": 4, "stars": 0}
        error = await bob.ask("state", "error", state={"stars": 1000})
        assert error["code"] == "forbidden"


async def test_who_reaches_the_star_has_it_and_it_moves(
    server: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy, "randbelow", lambda size: size - 1)
    async with visiting(server, "toy/catch", "Ada") as ada:
        await ada.ask("look", "star")
        for to in ("left", "left", "up", "up"):
            await ada.send("step", to=to)
        caught = await ada.next("message")
        assert (caught["name"], caught["data"]) == ("Ada", [8, 8])
        [scored] = (await ada.next("presence"))["updates"]
        assert scored["state"] == {"x": 2, "y": 2, "stars": 1}


@pytest.mark.parametrize("to", HOSTILE)
async def test_what_is_no_step_moves_nobody(server: ServerAddress, to: object) -> None:
    async with visiting(server, "toy/odd", "Ada") as ada:
        await ada.ask("look", "star")
        await ada.send("step", to=to)
        assert (await ada.ask("step", "presence", to="left"))["count"]["members"] == 1
        await ada.send("resync")
        [me] = (await ada.next("welcome"))["members"]
        assert (me["state"]["x"], me["state"]["y"]) == (3, 4)


# --- Notifications --------------------------------------------------------------------------------


@pytest.mark.django_db
def test_only_staff_may_notify(client: Browser) -> None:
    url = reverse("example-notifications")
    assert client.post(url, {"to": "ada", "text": "hi"}).status_code == 403
    client.force_login(User.objects.create_user("eve"))
    assert client.post(url, {"to": "eve", "text": "hi"}).status_code == 403
    assert "Notify somebody" not in client.get(url).content.decode()
    client.force_login(User.objects.create_user("ada", is_staff=True))
    answer = client.post(url, {"to": "nobody", "text": "kept"})
    assert answer.status_code == 404
    assert "There is no user &#x27;nobody&#x27;." in answer.content.decode()
    assert 'value="kept"' in answer.content.decode()


# --- All of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_example_is_longer_than_forty_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_example_writes_html_or_asks_another_server(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text) == []
    assert re.findall(r"""(?:https?:|["'(])//[\w.-]+""", text) == []
    if path.suffix == ".html":
        assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text) == []


def test_the_index_leads_to_every_example_and_the_start_page_to_the_index() -> None:
    index = Browser().get(reverse("examples")).content.decode()
    names = {str(pattern.name) for pattern in urlpatterns} - {"examples"}
    assert {name for name in names if f'href="{reverse(name)}"' not in index} == set()
    assert f'href="{reverse("examples")}"' in Browser().get("/").content.decode()


def test_a_project_without_the_examples_has_no_link_to_them(settings: Any) -> None:
    settings.ROOT_URLCONF = "realtime.web.urls"
    assert "examples" not in get_resolver().reverse_dict
    assert "Examples" not in Browser().get("/").content.decode()


def test_a_page_names_its_files() -> None:
    for page in (FOLDER / "templates/examples").glob("*.html"):
        if page.stem != "index":
            for name in re.findall(r"<code>(\w+\.\w+)</code>", text := page.read_text()):
                assert any(path.name == name for path in FILES), name
            assert f"<code>{page.name}</code>" in text
