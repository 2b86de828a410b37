"""The order of the runs: in every round each workload meets every server in turn.

A B C A B C …, so that whatever drifts on the machine hits all alike. Every run has a fresh
process to itself: nothing of an earlier run is left in it, and no other server is alive.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks.load import LoadError, drive
from benchmarks.processes import StartError, running
from benchmarks.results import Results, Run
from benchmarks.servers import Server
from benchmarks.workloads import Workload

STARTS = 3  # a start is short and unsteady: the median of so many is one run


@dataclass(frozen=True)
class Step:
    """Where the rounds are: for the progress line."""

    done: int
    total: int
    round: int
    workload: Workload
    server: Server
    elapsed: float


def measure_all(
    workloads: list[Workload],
    servers: list[Server],
    *,
    rounds: int,
    seconds: float,
    progress: Callable[[Step], None],
    results: Results,
) -> None:
    """Fills `results`; what was measured before an interrupt is in it."""
    results.absent |= {server.name: reason for server in servers if (reason := server.needs())}
    here = [server for server in servers if server.name not in results.absent]
    plan = [
        (number, work, server)
        for number in range(1, rounds + 1)
        for work in workloads
        for server in here
    ]
    begin = time.monotonic()
    for done, (number, work, server) in enumerate(plan):
        elapsed = time.monotonic() - begin
        progress(Step(done, len(plan), number, work, server, elapsed))
        attempt(work, server, seconds, results)


def attempt(workload: Workload, server: Server, seconds: float, results: Results) -> None:
    key = workload.name, server.name
    if server.name in results.absent or key in results.failed or not applies(workload, server):
        return
    try:
        results.add(workload, server.name, measure(workload, server, seconds))
    except StartError as reason:
        results.absent[server.name] = f"did not start: {reason}"
    except LoadError as reason:
        results.failed[key] = str(reason)


def applies(workload: Workload, server: Server) -> bool:
    if workload.kind == "echo" and server.echo is None:
        return False
    in_flight = workload.members * workload.window
    return workload.kind != "fanout" or in_flight <= server.most_deliveries


def measure(workload: Workload, server: Server, seconds: float) -> Run:
    if workload.kind == "start":
        return {"start_s": median(start_seconds(server) for _ in range(STARTS))}
    short = 0.1 if workload.kind in ("idle", "connect") else seconds
    with running(server) as process:
        return drive(workload, server, process, seconds=short)


def start_seconds(server: Server) -> float:
    with running(server) as process:
        return process.start_s
