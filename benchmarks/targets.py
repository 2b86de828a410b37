"""The ratios to reach, each as a quotient of two medians. Nothing is measured here."""

from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.servers import BARE, CHANGED, FLOOR, OURS, STOCK
from benchmarks.workloads import OTHERS, Workload, fanout

Figure = tuple[str, str, str]  # workload, server, metric


@dataclass(frozen=True)
class Target:
    """`above / below` is to be at least, or at most, `limit`."""

    text: str
    sign: str  # "≥" or "≤"
    limit: float
    above: Figure
    below: Figure

    def measured(self, results: Results) -> float | None:
        above, below = results.median(*self.above), results.median(*self.below)
        return above / below if above is not None and below else None

    def holds(self, results: Results) -> bool | None:
        ratio = self.measured(results)
        if ratio is None:
            return None
        return ratio >= self.limit if self.sign == "≥" else ratio <= self.limit


def figure(workload: Workload, server: str) -> Figure:
    return workload.name, server, workload.metric


def other(name: str) -> Workload:
    return next(workload for workload in OTHERS if workload.name == name)


def of_the_floor(members: int, window: int, limit: float) -> Target:
    """Deliveries per CPU second are the inverse of CPU per delivery: so the floor is above."""
    work = fanout(members, window)
    text = f"room fan-out ÷ C floor, deliveries per CPU second, {members:,} × {window}"
    return Target(text, "≥", limit, figure(work, FLOOR), figure(work, OURS))


def growth(window: int) -> Target:
    many, few = fanout(5000, window), fanout(100, window)
    text = f"cost per delivery, 5,000 ÷ 100 members, {window} in flight"
    return Target(text, "≤", 1.3, figure(many, OURS), figure(few, OURS))


def tutorial(members: int, window: int, limit: float) -> Target:
    work = fanout(members, window)
    text = f"tutorial with import and layer swapped ÷ stock, {members:,} × {window}"
    return Target(text, "≥", limit, figure(work, STOCK), figure(work, CHANGED))


def beside(text: str, sign: str, limit: float, name: str, peer: str) -> Target:
    """A cost of ours beside a peer's; "≥" asks how many times cheaper ours is."""
    ours, theirs = figure(other(name), OURS), figure(other(name), peer)
    above, below = (theirs, ours) if sign == "≥" else (ours, theirs)
    return Target(text, sign, limit, above, below)


def joins() -> Target:
    text = "1,000 joins of one room ÷ 1,000 connects to bare uvicorn, time"
    bare = figure(other("connect-1000"), BARE)
    return Target(text, "≤", 3, figure(other("join-1000"), OURS), bare)


TARGETS = [
    of_the_floor(100, 1, 0.75),
    of_the_floor(1000, 1, 0.75),
    of_the_floor(100, 8, 3),
    of_the_floor(1000, 8, 3),
    growth(1),
    growth(8),
    tutorial(100, 1, 10),
    tutorial(100, 8, 10),
    tutorial(1000, 1, 20),
    tutorial(1000, 8, 20),
    beside("echo ÷ bare uvicorn, echoes per CPU second, 100 at once", "≥", 1.1, "echo-100", BARE),
    beside("idle connection ÷ bare uvicorn's, memory", "≤", 1.25, "idle-echo", BARE),
    beside("idle member of a room ÷ bare uvicorn's, memory", "≤", 1.25, "idle-room", BARE),
    joins(),
    beside("start to first answer ÷ stock Channels'", "≤", 1.2, "start", STOCK),
]
