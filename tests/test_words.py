"""Numbers in sentences, and the sentences that have them."""

from __future__ import annotations

import pytest

from realtime.lifespan import status
from realtime.words import counted
from tests.local import LocalHub


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 rooms"), (1, "1 room"), (2, "2 rooms"), (2_000, "2,000 rooms")]
)
def test_one_is_one_and_all_else_are_many(number: int, words: str) -> None:
    assert counted(number, "room") == words


def test_the_line_for_systemctl_counts_rightly() -> None:
    hub = LocalHub()
    assert status(hub) == "0 connections in 0 rooms"
    hub.connections = 1
    hub.room("kitchen")
    assert status(hub) == "1 connection in 1 room"
