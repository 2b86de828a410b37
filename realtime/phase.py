"""Where this process is in its life, for those who ask whether to send people here."""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"


# A server that does not tell an application of its start and stop serves all the time.
_phase = Phase.SERVING


def enter(phase: Phase) -> None:
    global _phase
    _phase = phase


def current() -> Phase:
    return _phase
