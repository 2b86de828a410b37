"""What plain uvicorn says at its start of who can get in."""

from __future__ import annotations

import logging
import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from realtime.serving import reach
from realtime.serving.reach import hint
from tests.processes import ROOT, Process

Start = Callable[..., Process]
UVICORN = ["-m", "uvicorn", "app:application", "--port", "{port}"]
WORDS = "Only this machine gets in."


def server(app: Any = "app:application", **options: Any) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, **options))


def test_uvicorn_says_once_how_to_open_it_and_with_which_port(start: Start) -> None:
    process = start(*UVICORN)
    assert process.said().count(WORDS) == 1
    port = f"--port {process.port}"
    assert f"python app.py {port}, or uvicorn app:application --host 0.0.0.0 {port}" in (
        process.said()
    )


@pytest.mark.parametrize(
    "arguments",
    [[*UVICORN, "--host", "0.0.0.0"], [*UVICORN, "--log-level", "warning"]],
)
def test_it_says_nothing_when_it_is_open_or_shall_be_quiet(
    start: Start, arguments: list[str]
) -> None:
    assert WORDS not in start(*arguments).said()


def test_python_app_py_has_its_own_words(start: Start) -> None:
    assert "INFO" not in start("app.py", "--port", "{port}").said()


def test_another_project_gets_its_own_command() -> None:
    words = hint(server("shop.asgi:application", port=9000))
    assert words
    assert words.endswith(": uvicorn shop.asgi:application --host 0.0.0.0 --port 9000")


@pytest.mark.parametrize(
    "other",
    [
        None,
        server(host="192.168.0.7"),
        server(uds="/run/realtime.sock"),
        server(fd=3),
        server(app=lambda: None),
    ],
)
def test_who_does_not_serve_loopback_by_a_port_gets_no_hint(other: uvicorn.Server | None) -> None:
    assert hint(other) is None


def test_a_reload_does_not_say_it_again(monkeypatch: pytest.MonkeyPatch, logged: list[str]) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "level", logging.INFO)
    for name in ("SpawnProcess-1", "SpawnProcess-2", "SpawnProcess-11"):
        current = SimpleNamespace(name=name)
        monkeypatch.setattr(multiprocessing, "current_process", lambda current=current: current)
        reach.tell(server())
    assert len(logged) == 1


def test_the_processes_of_uvicorns_reload_are_numbered(tmp_path: Path) -> None:
    """The name by which the first is known."""
    show = "import multiprocessing\ndef show(): print(multiprocessing.current_process().name)\n"
    (tmp_path / "named.py").write_text(show)
    (tmp_path / "start.py").write_text(
        "import named\nfrom uvicorn._subprocess import spawn\n"
        "if __name__ == '__main__':\n"
        "    for _ in range(2):\n"
        "        process = spawn.Process(target=named.show)\n"
        "        process.start()\n        process.join()\n"
    )
    run = subprocess.run(
        [sys.executable, "start.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == ["SpawnProcess-1", "SpawnProcess-2"], run.stderr
