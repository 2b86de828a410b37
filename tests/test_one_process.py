"""One process is the rule, and who asks for two is told so."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from realtime.one_process import refusal
from tests.processes import ROOT, free_port


def server(workers: int, notify: Any = None) -> Any:
    return SimpleNamespace(config=SimpleNamespace(workers=workers, callback_notify=notify))


def started(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_one_worker_may_start_and_two_may_not() -> None:
    assert refusal(None) is None
    assert refusal(server(1)) is None
    assert "2 workers were asked for" in (refusal(server(2)) or "")


def test_gunicorns_workers_count_as_well() -> None:
    class Worker:
        cfg = SimpleNamespace(workers=4)

        async def callback_notify(self) -> None: ...

    assert "4 workers" in (refusal(server(1, Worker().callback_notify)) or "")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [(["--workers", "2"], {}), ([], {"WEB_CONCURRENCY": "2"})],
    ids=["--workers 2", "WEB_CONCURRENCY=2"],
)
def test_uvicorn_with_two_workers_stops_with_a_sentence(
    arguments: list[str], environment: dict[str, str]
) -> None:
    port = str(free_port())
    # It has ended: with status 0, for uvicorn 0.54 does not hand on that of its workers.
    done = started("uvicorn", "app:application", "--port", port, *arguments, **environment)
    assert "2 workers were asked for" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not importlib.util.find_spec("gunicorn"), reason="gunicorn is not installed")
def test_gunicorn_with_two_workers_stops_with_a_sentence() -> None:
    bind = f"127.0.0.1:{free_port()}"
    worker = "uvicorn.workers.UvicornWorker"
    done = started("gunicorn", "app:application", "-w", "2", "-k", worker, "-b", bind)
    assert done.returncode != 0
    assert "2 workers were asked for" in done.stderr
