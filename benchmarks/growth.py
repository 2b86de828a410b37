"""A soak's samples, and whether they grow: the rule by which it fails."""

import os
from dataclasses import dataclass, field
from statistics import median
from typing import Any

CYCLE = 45.0  # s

# What is no growth. A cache that still fills: a half per cent of some 100,000 objects. Resident
# memory: an allocator gives back what it likes, so only what 4 MB do not explain counts.
OBJECTS = 0.005
MEMORY = 4_000_000
EMPTY = ("connections", "streams", "rooms", "groups", "subscribers")

Sample = dict[str, Any]


@dataclass
class Soak:
    """Samples, one a second; rests, one a cycle."""

    minutes: float
    clients: int
    samples: list[Sample] = field(default_factory=list)
    rests: list[Sample] = field(default_factory=list)
    visits: int = 0
    resumed: int = 0
    faults: list[str] = field(default_factory=list)
    # What the server logged, and how busy the machine was before, by its load average.
    said: str = ""
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    @property
    def cycles(self) -> int:
        return max(3, round(self.minutes * 60 / CYCLE))

    def growth(self) -> float:
        """Bytes of resident memory, by the median of slopes, from the end of the warm-up."""
        points = [(s["at"], s["memory"]) for s in self.samples if s["at"] > self.rests[0]["at"]]
        return slope(points) * float(points[-1][0] - points[0][0])

    def verdict(self) -> list[str]:
        """What has grown, or was left; nothing when all is well."""
        first, last = self.rests[1], self.rests[-1]
        wrong = [f"{last[name]} {name} are left" for name in EMPTY if last[name]]
        wrong += [
            f"{name} grew from {first[name]:,} to {last[name]:,}: {grown(self)}"
            for name in ("objects", "blocks", "tasks", "files")
            if last[name] > first[name] * (1 + (OBJECTS if name in ("objects", "blocks") else 0))
        ]
        if self.growth() > MEMORY:
            wrong.append(f"memory grew by {self.growth() / 1e6:.1f} MB")
        if last["bugs"]:
            wrong.append(f"{last['bugs']} handlers raised")
        if "Traceback" in self.said:
            wrong.append(f"the server had a fault:\n{self.said[-2_000:]}")
        return wrong + [f"a client failed: {fault}" for fault in self.faults[:3]]


def slope(points: list[tuple[float, float]]) -> float:
    """Theil and Sen's: the median over all pairs, which a few wild points do not move."""
    some = points[:: len(points) // 300 + 1]
    return median(
        (y2 - y1) / (x2 - x1)
        for number, (x1, y1) in enumerate(some)
        for x2, y2 in some[number + 1 :]
        if x2 > x1
    )


def grown(soak: Soak) -> str:
    first, last = (soak.rests[number]["kinds"] for number in (1, -1))
    more = {kind: count - first.get(kind, 0) for kind, count in last.items()}
    most = sorted(more, key=lambda kind: more[kind], reverse=True)[:5]
    return ", ".join(f"{kind} by {more[kind]}" for kind in most)
