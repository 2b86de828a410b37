"""README.md's two consumers, pasted into a copy of the project as it says, on a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests import readme
from tests.processes import Process, running
from tests.tutorial import Step, copy, edited

IMPORTS, SOCKETS = "from realtime.lifespan import Lifespan  # noqa: E402", "*example_sockets,"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = copy(tmp_path_factory.mktemp("clone"))
    files = re.findall(r"file `(\w+\.py)`, beside `app.py`", readme.TEXT, re.IGNORECASE)
    for file, name in zip(files, ("Game", "Shout"), strict=True):
        (folder / file).write_text(readme.python_block(f"class {name}("))
        paste(folder / "app.py", IMPORTS, readme.python_block(f"import {name} "))
        paste(folder / "app.py", SOCKETS, readme.python_block(f"{name}.as_asgi()"))
    command = ["app.py", "--host", "127.0.0.1", "--port", "{port}"]
    environment = {"PYTHONPATH": str(folder)}
    logs = tmp_path_factory.mktemp("logs")
    with running(*command, folder=logs, cwd=folder, env=environment) as process:
        yield process


def paste(path: Path, line: str, block: str) -> None:
    path.write_text(edited(Step("below", path.name, block, line), path.read_text()))


def test_the_room_of_the_readme_works(process: Process) -> None:
    with connect(process.ws("/ws/game/first/?name=Ada")) as socket:
        socket.recv(timeout=10)  # welcome
        socket.send('{"type": "buzz"}')
        message = json.loads(socket.recv(timeout=10))
        assert (message["name"], message["data"]) == ("Ada", {"buzz": "Ada"})


def test_the_consumer_of_the_readme_works(process: Process) -> None:
    with connect(process.ws("/ws/shout/")) as socket:
        socket.send("hello")
        assert socket.recv(timeout=10) == "HELLO"


def test_its_places_are_where_it_says() -> None:
    assert readme.TEXT.count(f"below `{IMPORTS}`") == 2
    assert readme.TEXT.count(f"below `{SOCKETS}`") == 2


def test_no_example_has_the_name_of_a_room_that_a_command_makes() -> None:
    made = set(re.findall(r"startroom ([a-z]\w*)", readme.TEXT))
    files = set(re.findall(r"file `(\w+)\.py`", readme.TEXT, re.IGNORECASE))
    assert (len(made), len(files), made & files) == (1, 2, set())
