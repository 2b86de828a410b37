"""The test kit's rooms without a network, whose every frame is checked against docs/schema."""

from __future__ import annotations

from realtime import testing
from realtime.testing import LocalSeat, StandingClock
from tests.wire import valid

__all__ = ["LocalHub", "LocalSeat", "StandingClock"]


class LocalHub(testing.LocalHub):
    def __init__(self) -> None:
        super().__init__(valid)
