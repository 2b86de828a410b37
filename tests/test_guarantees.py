"""docs/guarantees.md and docs/security.md say nothing that no test shows."""

from __future__ import annotations

import re

import pytest

from benchmarks.flooders import FLOODERS
from tests.fuzz.corpus import NAMES
from tests.processes import ROOT

PAGES = ["guarantees.md", "security.md"]
NAMED = re.compile(r"`(tests/\w+\.py)::(\w+)`")


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = NAMED.findall((ROOT / "docs" / page).read_text())
    assert len(named) > 10
    missing = [
        f"{path}::{test}"
        for path, test in named
        if not re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


def test_every_guarantee_names_a_test() -> None:
    text = (ROOT / "docs/guarantees.md").read_text().partition("## Figures")[0]
    promises = re.split(r"^- ", text, flags=re.MULTILINE)[1:]
    assert len(promises) > 30
    assert [promise for promise in promises if not NAMED.search(promise)] == []


def test_every_attack_names_a_test() -> None:
    rows = re.findall(r"^\| .+ \|$", (ROOT / "docs/security.md").read_text(), re.MULTILINE)[1:]
    assert len(rows) > 10
    assert [row for row in rows if not NAMED.search(row) and "---" not in row] == []


def test_every_figure_says_which_command_makes_it() -> None:
    figures = (ROOT / "docs/guarantees.md").read_text().partition("## Figures")[2]
    rows = re.findall(r"^\| .+ \|$", figures, re.MULTILINE)
    assert len(rows) > 10
    for name in (*NAMES, *FLOODERS):
        assert any(row.startswith(f"| {name} |") for row in rows), name
    for module in re.findall(r"`python -m ([\w.]+)", figures):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
