"""The benchmark's own machinery: a short run of the floor, and ratios of known numbers."""

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.results import Results
from benchmarks.servers import BARE, CHANGED, FLOOR, OURS, SERVERS, STOCK
from benchmarks.targets import TARGETS
from benchmarks.workloads import FULL, QUICK, USUAL, Workload, fanout

ECHO = next(work for work in QUICK if work.name == "echo-100")
THOUSAND = fanout(1000, 1)

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="the load client is C for Linux: it needs cc",
)


@pytest.fixture
def canned() -> Results:
    """Three rounds each; the middle one is the median."""
    results = Results([THOUSAND, ECHO], [OURS, CHANGED, STOCK, BARE, FLOOR])
    costs = {OURS: 3.0, CHANGED: 8.0, STOCK: 240.0, FLOOR: 2.4}
    for server, cost in costs.items():
        add(results, THOUSAND, server, cost - 1, cost, cost + 50)
    add(results, ECHO, OURS, 12.0)
    add(results, ECHO, BARE, 12.6)
    return results


def add(results: Results, workload: Workload, server: str, *costs: float) -> None:
    for cost in costs:
        results.add(workload, server, {workload.metric: cost})


def measured(results: Results, start: str) -> tuple[float | None, bool | None]:
    target = next(target for target in TARGETS if target.text.startswith(start))
    return target.measured(results), target.holds(results)


def test_a_ratio_is_the_quotient_of_the_medians(canned: Results) -> None:
    ratios = {target.text: target.measured(canned) for target in TARGETS}
    assert ratios["room fan-out ÷ C floor, deliveries per CPU second, 1,000 × 1"] == 2.4 / 3.0
    assert ratios["tutorial with import and layer swapped ÷ stock, 1,000 × 1"] == 30


def test_a_missed_target_says_so(canned: Results) -> None:
    assert measured(canned, "echo ÷ bare uvicorn") == (12.6 / 12.0, False)


def test_a_target_without_numbers_is_not_measured(canned: Results) -> None:
    assert measured(canned, "start to first answer") == (None, None)
    assert "not measured" in report.targets(canned)


def test_a_cell_holds_the_median_and_how_many_times_ours_it_is(canned: Results) -> None:
    assert report.cell(canned, THOUSAND, OURS) == "3.00"
    assert report.cell(canned, THOUSAND, STOCK) == "240 ×80"
    assert report.cell(canned, THOUSAND, BARE) == "–"


def test_a_stalled_run_is_no_number(canned: Results) -> None:
    canned.add(THOUSAND, BARE, {THOUSAND.metric: 1.0, "stalled": 1})
    assert report.cell(canned, THOUSAND, BARE) == "stalled"


def test_the_document_names_what_was_skipped(canned: Results) -> None:
    canned.absent["nchan"] = "no nginx on this machine"
    text = report.document(canned, ["a day, a machine"], {OURS: "1.0"})
    assert "nchan: skipped, no nginx on this machine" in text


@pytest.mark.parametrize("workloads", [QUICK, USUAL, FULL])
def test_every_row_has_a_name_of_its_own(workloads: list[Workload]) -> None:
    names = [work.name for work in workloads]
    assert len(set(names)) == len(names)


@needs_compiler
@pytest.mark.parametrize("workload", [fanout(10, 8), ECHO], ids=lambda work: work.name)
def test_the_load_client_measures_the_floor(
    workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.rounds import measure

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    floor = next(server for server in SERVERS if server.name == FLOOR)
    run = measure(workload, floor, 0.3)
    assert run["members"] == workload.members
    assert run["delivered"] >= workload.members * workload.window
    assert run["delivered"] == pytest.approx(run["per_s"] * run["seconds"], rel=0.01)
    assert run["missing"] == run["stalled"] == run["closed"] == 0
    assert 0 < run["p50_ms"] <= run["p99_ms"]
    assert 0 < run["us_per_delivery"] < 1000
    assert 0 < run["load_cpu_share"] <= 1.05
