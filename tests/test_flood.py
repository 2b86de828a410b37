"""The short form of `python -m benchmarks.flood`: small floods, and a witness who loses nothing."""

from __future__ import annotations

import contextlib
import shutil
import sys

import pytest

from benchmarks import flood
from benchmarks.flooders import FLOODERS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")

NEEDS_C = {"idle", "crowd"}

# Milliseconds. Generous, for a machine that does something else too: without the bounds that
# these floods meet, the witness waits for seconds or for ever.
SLOWEST = 2_000


@pytest.mark.parametrize("name", FLOODERS)
def test_a_flood_leaves_a_witness_served_and_the_memory_bounded(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name in NEEDS_C and shutil.which("cc") is None:
        pytest.skip("the load client is C: it needs cc")
    row = flood.flood(name, seconds=1, scale=0.05, rest=0.3)
    assert row.lost == 0
    assert float(flood.ms(row.during, 99)) < SLOWEST
    before, most, _ = row.memory
    assert most - before < 100
    assert "failed" not in capsys.readouterr().out


def test_the_talker_is_closed_for_its_rate() -> None:
    row = flood.flood("talker", seconds=2, scale=1, rest=0.1)
    closed = int(row.what.removesuffix(" times").rpartition(" ")[2])
    assert closed > 0


def test_a_witness_who_loses_something_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with flood.serving() as (port, _), contextlib.closing(flood.Witness(port)) as witness:
        witness._peer.settimeout(0.01)
        witness._peer.shutdown(2)
        assert witness.watch(seconds=0.01) == []
        assert witness.lost > 0
