"""python -m benchmarks: start every server in turn, load it, print one table."""

import argparse
import os
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import cache, machine, report, rounds, sections
from benchmarks.processes import CORES, LOAD_CORE
from benchmarks.results import Results
from benchmarks.rounds import Step
from benchmarks.servers import SERVERS, Server
from benchmarks.workloads import FULL, QUICK, USUAL, Workload


def main() -> int:
    options = arguments().parse_args()
    servers, workloads = chosen(options)
    if not (servers and workloads):
        print("nothing matches --only or --servers; --list shows the names")
        return 2
    if options.list:
        return show_names(servers, workloads)
    prepare()
    results = Results(workloads, [server.name for server in servers])
    complete = measure(servers, workloads, options, results)
    print(report.summary(results))
    if complete:
        write(results, servers, options)
    return 0 if complete else 130


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each pair (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="of each run (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="few rows, one round, 0.5 s")
    parser.add_argument("--full", action="store_true", help="every variant at every size")
    parser.add_argument("--only", metavar="PART", action="append", help="rows whose name holds it")
    parser.add_argument("--servers", metavar="PART", action="append", help="servers likewise")
    parser.add_argument("--list", action="store_true", help="show the names and stop")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where RESULTS.md and the plot go")
    parser.add_argument("--raw", type=Path, metavar="FILE", help="every single run, as JSON")
    return parser


def chosen(options: argparse.Namespace) -> tuple[list[Server], list[Workload]]:
    workloads = FULL if options.full else QUICK if options.quick else USUAL
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    return (
        [server for server in SERVERS if matches(server.name, options.servers)],
        [work for work in workloads if matches(work.name, options.only)],
    )


def matches(name: str, parts: list[str] | None) -> bool:
    return not parts or any(part.lower() in name.lower() for part in parts)


def show_names(servers: list[Server], workloads: list[Workload]) -> int:
    print("servers:", *(f"  {server.name}" for server in servers), sep="\n")
    print("rows:", *(f"  {work.name:28} {work.title}" for work in workloads), sep="\n")
    return 0


def prepare() -> None:
    """This process stays off the server's core; its children may open many sockets."""
    os.sched_setaffinity(0, {LOAD_CORE})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # A polite kill ends like Ctrl+C: through the `finally` that takes the servers down.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if len(CORES) < 2:
        print("One core only: server and load client share it; compare with care.")


def measure(
    servers: list[Server],
    workloads: list[Workload],
    options: argparse.Namespace,
    results: Results,
) -> bool:
    """False if it was interrupted; what was measured until then is in `results`."""
    try:
        rounds.measure_all(
            workloads,
            servers,
            rounds=options.rounds,
            seconds=options.seconds,
            progress=show if sys.stderr.isatty() else lambda step: None,
            results=results,
        )
    except KeyboardInterrupt:
        print("\ninterrupted: all servers are down; what was measured until now:")
        return False
    finally:
        clear()
    return True


def show(step: Step) -> None:
    left = step.elapsed / step.done * (step.total - step.done) if step.done else 0
    text = (
        f"{step.done + 1}/{step.total} round {step.round}, about {left / 60:.0f} min left: "
        f"{step.workload.title}, {step.server.name}"
    )
    print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def clear() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def write(results: Results, servers: list[Server], options: argparse.Namespace) -> None:
    """A part of the rows overwrites the whole picture only where --out says so."""
    if options.raw:
        results.save(options.raw)
    partial = options.quick or options.only or options.servers
    folder = options.out or (None if partial else cache.HERE)
    if folder is None:
        return
    present = [server for server in servers if server.name in results.present()]
    versions = {server.name: machine.versions(server) for server in present}
    text = report.document(results, conditions(options), versions)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "RESULTS.md"
    file.write_text(sections.carry(file.read_text() if file.exists() else "", text))
    draw(results, folder / "fanout.svg")


def conditions(options: argparse.Namespace) -> list[str]:
    return [
        f"{datetime.now(UTC):%Y-%m-%d}, {machine.description()}",
        f"{options.rounds} rounds, {options.seconds:g} s each; 64-byte messages unless said",
    ]


def draw(results: Results, file: Path) -> None:
    try:
        from benchmarks import plot
    except ImportError:
        print("no plot: pip install matplotlib")
        return
    plot.draw(results, file)


if __name__ == "__main__":
    sys.exit(main())
