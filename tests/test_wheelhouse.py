"""docs/tutorial/wheelhouse.md done as it stands there, in a fresh clone: LONG_TESTS=1, a network.

Takes a minute or two, and fetches what the tests' packages need.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests import tutorial
from tests.processes import ROOT, running, variables

TEXT = (tutorial.FOLDER / "wheelhouse.md").read_text()
MEGABYTE = 1_000_000

pytestmark = [
    pytest.mark.skipif(not os.environ.get("LONG_TESTS"), reason="LONG_TESTS=1 fetches 100 MB"),
    pytest.mark.timeout(900),
]


def command(start: str) -> str:
    """The one of the page that begins so."""
    [found] = re.findall(rf"^{re.escape(start)}.*$", TEXT, re.MULTILINE)
    return str(found)


def do(line: str, python: str, folder: Path, **environment: str) -> None:
    """`pip …`, with the pip of `python`."""
    done = subprocess.run(
        [python, "-m", *shlex.split(line)],
        cwd=folder,
        env=variables(environment),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_room_without_internet_gets_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tutorial.copy(tmp_path / "clone")
    do(command("pip wheel -w"), sys.executable, clone)
    wheels = list((clone / "wheelhouse").iterdir())
    size = sum(wheel.stat().st_size for wheel in wheels) / MEGABYTE
    with capsys.disabled():
        sys.stdout.write(f"\n{len(wheels)} files, {size:.0f} MB\n")
    said = re.search(r"about (\d+) files, (\d+) MB", TEXT)
    assert said is not None
    assert abs(len(wheels) - int(said[1])) < 30
    assert abs(size - int(said[2])) < 40

    do("venv .venv", sys.executable, clone)
    python = str(clone / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
    # No way out: whatever would ask an index asks nobody.
    do(command("pip install --no-index"), python, clone, PIP_INDEX_URL="http://127.0.0.1:9/")
    monkeypatch.setattr(sys, "executable", python)  # running() takes it
    serve = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    with running(*serve, folder=tmp_path, cwd=clone) as process:
        assert httpx.get(process.http("/")).status_code == 200
        # Its own packages, and none of whoever runs the tests.
        found = subprocess.run(
            [python, "-c", "import django; print(django.__file__)"],
            cwd=clone,
            env=variables({}),
            capture_output=True,
            text=True,
            check=True,
        )
        assert Path(found.stdout).is_relative_to(clone)
    assert str(ROOT) not in process.said()
    shutil.rmtree(clone)
