"""The long soak: its rule, what it writes, and a short run of it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from benchmarks import sections, soak_report
from benchmarks.growth import MEMORY, Soak, slope
from tests.processes import run

EMPTY: dict[str, Any] = {
    "connections": 0,
    "streams": 0,
    "rooms": 0,
    "groups": 0,
    "subscribers": 0,
    "tasks": 9,
    "files": 12,
    "bugs": 0,
    "lag": 0.001,
    "worst": 0.02,
    "received": 100,
    "delivered": 1_000,
}


def sample(at: float, memory: float, **other: Any) -> dict[str, Any]:
    counted = {"objects": 100_000, "blocks": 400_000, "kinds": {"builtins.dict": 5}}
    return EMPTY | counted | {"at": at, "memory": memory, "visits": int(at)} | other


def soak(growing: float = 0.0, **last: Any) -> Soak:
    """Four minutes whose memory goes up and down, and up by `growing` bytes in all."""
    found = Soak(minutes=4, clients=200)
    for second in range(240):
        wave = 3_000_000 * (second % 2)
        warm_up = 20_000_000 * min(1, second / 60)
        found.samples.append(sample(second, 5e7 + warm_up + wave + growing * second / 180))
    found.rests = [sample(end, 5e7) for end in (60, 120, 180)] + [sample(240, 5e7, **last)]
    return found


def test_a_process_that_stays_as_it_is_passes() -> None:
    assert soak().verdict() == []


def test_one_that_grows_fails_however_much_its_memory_moves() -> None:
    assert soak(MEMORY * 0.8).verdict() == []
    [wrong] = soak(MEMORY * 1.2).verdict()
    assert wrong.startswith("memory grew by 4.")


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ({"rooms": 2}, "2 rooms are left"),
        ({"subscribers": 1}, "1 subscribers are left"),
        ({"tasks": 10}, "tasks grew from 9 to 10"),
        ({"objects": 101_000, "kinds": {"app.Leak": 1_000}}, "app.Leak by 1000"),
        ({"blocks": 403_000}, "blocks grew from 400,000 to 403,000"),
        ({"bugs": 1}, "1 handlers raised"),
    ],
)
def test_what_is_left_at_rest_is_named(last: dict[str, Any], words: str) -> None:
    [wrong] = soak(**last).verdict()
    assert words in wrong


def test_a_fault_in_the_servers_log_fails_too() -> None:
    found = soak()
    found.said = "Traceback (most recent call last):\nValueError: x"
    assert "ValueError: x" in found.verdict()[0]


def test_the_slope_is_not_moved_by_a_few_wild_points() -> None:
    points = [(float(x), 2.0 * x) for x in range(1_000)]
    points[5], points[500] = (5.0, 1e9), (500.0, -1e9)
    assert slope(points) == pytest.approx(2.0)


def test_a_section_takes_its_own_place_and_no_other() -> None:
    document = sections.put("# Measured\n", "soak", "old")
    document = sections.put(document, "other", "stays")
    document = sections.put(document, "soak", "new")
    assert "old" not in document
    assert document.index("new") < document.index("stays")
    assert document.startswith("# Measured\n")


def test_a_new_run_of_the_other_benchmarks_carries_it_on() -> None:
    before = sections.put("# Measured\n\nold figures\n", "soak", "of a night")
    after = sections.carry(before, "# Measured\n\nnew figures\n")
    assert "of a night" in after
    assert "old figures" not in after
    assert sections.carry(after, "# Measured\n\nnew figures\n") == after


def test_it_writes_a_table_a_picture_and_its_section(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "RESULTS.md").write_text("# Measured\n")
    soak_report.write(soak(), tmp_path)
    rows = list(csv.DictReader((tmp_path / "soak.csv").read_text().splitlines()))
    assert len(rows) == 240
    assert rows[-1]["lag"] == "0.0010"
    assert "<svg" in (tmp_path / "soak.svg").read_text()
    text = (tmp_path / "RESULTS.md").read_text()
    assert "Nothing was left." in text
    assert "| 240 s" in text


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_half_a_minute_of_comings_and_goings_leaves_nothing(tmp_path: Path) -> None:
    command = ["-m", "benchmarks.soak", "--minutes", "0.3", "--clients", "40"]
    done = run(*command, "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cycle 3/3" in done.stdout
    assert (tmp_path / "soak.csv").read_text().startswith("at,memory,")
