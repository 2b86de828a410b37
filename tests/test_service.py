"""The systemd unit and the kiosk's page: what they say is what the server does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.processes import ROOT

UNIT = (ROOT / "docs/realtime.service").read_text()
PAGE = (ROOT / "docs/raspberry-pi.md").read_text()
ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")


def values(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE
    return subprocess.run(
        [ANALYZE, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@needs_systemd
def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "realtime.service"
    # The folder of the server is not on this machine.
    unit.write_text(UNIT.replace("/opt/realtime/.venv/bin/python", "/bin/sh"))
    result = analyze("verify", "--man=no", str(unit))
    assert (result.returncode, result.stderr) == (0, "")


@needs_systemd
def test_systemd_calls_the_unit_hardened() -> None:
    """From 0 to 10, the less the better; 2.0 and below is called OK."""
    unit = str(ROOT / "docs/realtime.service")
    result = analyze("security", "--offline=true", "--threshold=20", "--no-pager", unit)
    if "unrecognized option" in result.stderr:
        pytest.skip("this systemd-analyze judges no files")
    assert result.returncode == 0, result.stdout[-500:]


def test_it_waits_for_the_word_and_is_killed_without_it() -> None:
    assert values("Type") == ["notify"]
    assert values("NotifyAccess") == ["main"]
    assert values("WatchdogSec") == ["30"]
    assert values("Restart") == ["always"]
    assert values("MemoryMax")


def test_it_stops_within_what_the_unit_allows() -> None:
    from realtime import keeper
    from realtime.serving import stopping

    longest = stopping.PATIENCE + stopping.NOTICE + keeper.PATIENCE + stopping.LAST_STEP
    assert longest < int(values("TimeoutStopSec")[0])


def test_every_setting_in_the_unit_exists_and_lies_where_it_may_write() -> None:
    import settings

    given = dict(re.findall(r"\b(REALTIME_\w+)=(\S+)", UNIT))
    assert {"REALTIME_SNAPSHOT", "REALTIME_DATABASE", "REALTIME_PORT"} <= given.keys()
    assert all(hasattr(settings, name) for name in given)
    state = f"/var/lib/{values('StateDirectory')[0]}/"
    assert all(path.startswith(state) for path in given.values() if path.startswith("/"))


def test_the_page_shows_the_units_numbers() -> None:
    import settings

    assert f"`WatchdogSec={values('WatchdogSec')[0]}`" in PAGE
    assert f"`MemoryMax={values('MemoryMax')[0]}`" in PAGE
    assert f"seconds ({settings.REALTIME_SNAPSHOT_INTERVAL:g})" in PAGE


def test_the_kiosks_script_is_one_that_a_shell_reads(tmp_path: Path) -> None:
    [script] = re.findall(r"```sh\n(#!/bin/sh\n.*?)```", PAGE, re.DOTALL)
    (tmp_path / "kiosk.sh").write_text(script)
    subprocess.run(["sh", "-n", str(tmp_path / "kiosk.sh")], check=True, timeout=10)
    for path in re.findall(r"http://localhost:8000(/\S*)", script):
        from django.urls import resolve

        resolve(path.rstrip(";"))


def test_every_link_of_the_page_leads_to_a_file() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert link.startswith("https://") or (ROOT / "docs" / link).exists(), link
