"""What has been measured: all runs, by workload and server, and their medians."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.workloads import Workload

Run = dict[str, float]  # the fields are named in load.c, at the end of main()


@dataclass
class Results:
    workloads: list[Workload]
    servers: list[str]
    runs: dict[tuple[str, str], list[Run]] = field(default_factory=lambda: defaultdict(list))
    absent: dict[str, str] = field(default_factory=dict)  # server → why it is not here
    failed: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, workload: Workload, server: str, run: Run) -> None:
        self.runs[workload.name, server].append(run)

    def median(self, workload: str, server: str, figure: str) -> float | None:
        """The median of one figure; None where there is none."""
        found = list(self.figures(workload, server, figure))
        return median(found) if found else None

    def figures(self, workload: str, server: str, figure: str) -> Iterator[float]:
        """A negative figure is load.c's "not measured"."""
        for run in self.runs.get((workload, server), []):
            if run.get(figure, -1) >= 0:
                yield run[figure]

    def stalled(self, workload: str, server: str) -> bool:
        return any(run.get("stalled") for run in self.runs.get((workload, server), []))

    def present(self) -> list[str]:
        """The servers with at least one run, in their own order."""
        measured = {server for (_, server), runs in self.runs.items() if runs}
        return [server for server in self.servers if server in measured]

    def save(self, file: Path) -> None:
        """Every single run, for those who want more than medians."""
        rows = [
            {"workload": workload, "server": server, **run}
            for (workload, server), runs in self.runs.items()
            for run in runs
        ]
        file.write_text(json.dumps(rows, indent=1) + "\n")
