"""What is said of the results: tables in Markdown, which a terminal shows as well."""

from collections.abc import Callable

from benchmarks.results import Results
from benchmarks.servers import OURS
from benchmarks.targets import TARGETS
from benchmarks.workloads import Workload

BUSY = 0.95  # a load client that takes more of its core may be what holds the server back

Row = list[str]


def table(head: Row, rows: list[Row]) -> str:
    """A Markdown table whose columns also line up as plain text."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(line(row, widths) for row in [head, rule, *rows])


def line(row: Row, widths: list[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in others)]
    return f"| {' | '.join(cells)} |"


def short(value: float) -> str:
    """Three digits, never an exponent: 0.0123, 1.23, 12.3, 123, 12,345."""
    if value >= 100:
        return f"{value:,.0f}"
    decimals = next(d for limit, d in ((10, 1), (1, 2), (0.1, 3), (0, 4)) if value >= limit)
    return f"{value:.{decimals}f}"


# ---- The one table --------------------------------------------------------------------


def overview(results: Results) -> str:
    servers = results.present()
    rows = [[work.title, *cells(results, work, servers)] for work in results.workloads]
    return table(["", *servers], rows)


def cells(results: Results, workload: Workload, servers: list[str]) -> Row:
    return [cell(results, workload, server) for server in servers]


def cell(results: Results, workload: Workload, server: str) -> str:
    """The median and how many times ours it is."""
    value = results.median(workload.name, server, workload.metric)
    if results.stalled(workload.name, server):
        return "stalled"
    if value is None:
        return "failed" if (workload.name, server) in results.failed else "–"
    ours = results.median(workload.name, OURS, workload.metric)
    return f"{short(value)} ×{value / ours:.2g}" if ours and server != OURS else short(value)


# ---- Targets --------------------------------------------------------------------------


def targets(results: Results) -> str:
    rows = []
    for target in TARGETS:
        ratio, holds = target.measured(results), target.holds(results)
        measured = "–" if ratio is None else short(ratio)
        verdict = {True: "yes", False: "**no**", None: "not measured"}[holds]
        rows.append([target.text, f"{target.sign} {target.limit:g}", measured, verdict])
    return table(["ratio", "target", "measured", "holds?"], rows)


# ---- Details --------------------------------------------------------------------------


def details(results: Results) -> str:
    """Every measured pair: what the one table leaves out."""
    head = ["workload", "server", *COLUMNS]
    rows = [
        [work.title, server, *detail(results, work, server)]
        for work in results.workloads
        for server in results.present()
        if results.runs.get((work.name, server))
    ]
    return table(head, rows)


def detail(results: Results, workload: Workload, server: str) -> Row:
    return [column(results, workload, server) for column in COLUMNS.values()]


def figure(name: str) -> Callable[[Results, Workload, str], str]:
    def text(results: Results, workload: Workload, server: str) -> str:
        value = results.median(workload.name, server, name)
        return short(value) if value else ""

    return text


def main_figure(results: Results, workload: Workload, server: str) -> str:
    return figure(workload.metric)(results, workload, server)


def spread(results: Results, workload: Workload, server: str) -> str:
    values = list(results.figures(workload.name, server, workload.metric))
    return f"{short(min(values))} … {short(max(values))}" if values else ""


def load_share(results: Results, workload: Workload, server: str) -> str:
    share = results.median(workload.name, server, "load_cpu_share")
    if share is None or workload.kind in ("idle", "connect"):
        return ""
    return f"{share:.0%}{' ‡' if share > BUSY else ''}"


def softirq(results: Results, workload: Workload, server: str) -> str:
    interrupts = results.median(workload.name, server, "softirq_s")
    cpu = results.median(workload.name, server, "server_cpu_s")
    return f"{interrupts / cpu:.0%}" if interrupts and cpu else ""


def others(results: Results, workload: Workload, server: str) -> str:
    share = results.median(workload.name, server, "others_share")
    return f"{share:.0%}" if share is not None and workload.kind in ("fanout", "echo") else ""


def connects(results: Results, workload: Workload, server: str) -> str:
    seconds = results.median(workload.name, server, "connect_s")
    return short(workload.members / seconds) if seconds and workload.kind == "connect" else ""


def growth(results: Results, workload: Workload, server: str) -> str:
    before = results.median(workload.name, server, "kb_open")
    after = results.median(workload.name, server, "kb_end")
    if before is None or after is None or workload.kind != "fanout":
        return ""
    return f"{max(after - before, 0) / 1024:.1f}"


COLUMNS: dict[str, Callable[[Results, Workload, str], str]] = {
    "median": main_figure,
    "lowest … highest": spread,
    "deliveries/s": figure("per_s"),
    "p50 ms": figure("p50_ms"),
    "p99 ms": figure("p99_ms"),
    "missing": figure("missing"),
    "connects/s": connects,
    "grew by MB": growth,
    "softirq": softirq,
    "others on the core": others,
    "load client's core": load_share,
}


# ---- Both together --------------------------------------------------------------------

READING = """\
Costs: less is better. "fan-out 1,000 × 8" is a room of 1,000 members with 8 messages in flight;
its cost is the server process's user and system time (its CPU clock, to the nanosecond) for one
message to one member. After ×: how many times this project's. Medians of interleaved runs, each
in a fresh process, alone on its core; the load client (`load.c`) runs on another."""

NOTES = """\
- "8 in flight" is a wave: one publisher sends eight messages at once and waits until every
  member has all eight. A server that gathers what waits for a socket into one write shows it
  here; "1 in flight" is one message at a time.
- On loopback the receiving half of TCP runs in a software interrupt inside the sender's `write`.
  Where the kernel does not account interrupts by themselves (`CONFIG_IRQ_TIME_ACCOUNTING`), that
  time is in the process's own: every server's figure holds the receiver's half as well. "softirq"
  shows how much of the server's CPU time the kernel says it was, in ticks of 10 ms. What the load
  client's writes and acknowledgements cost is on the other core.
- "others on the core": what else ran on the server's core, the hypervisor's thefts included. More
  than a few per cent spoil the caches and with them every figure of the row: measure again.
- The floor does no WebSocket work but the frame's head: nothing is checked, queued, limited or
  closed. Our rooms number, store and account for every message besides.
- "deflate": the client offers permessage-deflate as browsers do. A compressed frame counts, but
  its latency is not known, as the client does not inflate. The text is `x` repeated, which
  compresses better than people's.
- "5% do not read": those members never read after they have joined; deliveries and latency are
  the others'. "stalled": deliveries to the others stopped for 5 s.
- Idle memory is the slope of resident memory over the last nine tenths of 2,000 connections, on
  the echo path ("connection") and in one room ("member").
- "bare connects" go to the echo path, "joins" into one room, and end when the member has been
  welcomed; at most 64 handshakes are in flight. Start: from the process's start to the first 101.
- "tutorial" is the chat of the Channels tutorial, with fewer apps than `startproject` installs;
  "swapped" has another import and another layer, and nothing else changed.
- nchan's publisher is no member; "websockets" is `websockets.broadcast`; "bare uvicorn" an ASGI
  application that awaits `send` for each member.
- ‡ the load client's core was busy: deliveries/s may be the client's limit; the cost is not."""


def summary(results: Results) -> str:
    """What the terminal shows."""
    return "\n\n".join([overview(results), targets(results), *skipped(results)])


def skipped(results: Results) -> list[str]:
    lines = [f"- {server}: skipped, {reason}" for server, reason in results.absent.items()]
    lines += [failures(results, server) for server in results.servers]
    return ["\n".join(filter(None, lines))] if any(lines) else []


def failures(results: Results, server: str) -> str:
    """One line for all rows of a server; the first reason stands for the others."""
    why = {work: why for (work, name), why in results.failed.items() if name == server}
    return f"- {server} failed in {', '.join(why)}: {next(iter(why.values()))}" if why else ""


def document(results: Results, conditions: Row, versions: dict[str, str]) -> str:
    """RESULTS.md."""
    parts = [
        "# Measured",
        "Written by `python -m benchmarks`; not by hand.",
        "\n".join(f"- {condition}" for condition in conditions),
        READING,
        "![Server CPU per delivery over the members of a room](fanout.svg)",
        overview(results),
        "## Targets",
        targets(results),
        "## Versions",
        "\n".join(f"- {name}: {version}" for name, version in versions.items() if version),
        *(["## Not measured", *skipped(results)] if skipped(results) else []),
        "## How to read it",
        NOTES,
        "## Every row",
        details(results),
    ]
    return "\n\n".join(parts) + "\n"
