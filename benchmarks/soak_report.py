"""What a soak leaves behind: a table, a picture, and a section in RESULTS.md."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine, sections
from benchmarks.report import table

if TYPE_CHECKING:
    from benchmarks.growth import Soak

COLUMNS = {
    "at": "{:.1f}",  # s
    "memory": "{}",  # bytes, resident
    "connections": "{}",
    "streams": "{}",
    "rooms": "{}",
    "tasks": "{}",
    "lag": "{:.4f}",  # s, when last looked at
    "worst": "{:.4f}",  # s, in the last minute
    "visits": "{}",
    "received": "{}",
    "delivered": "{}",
}

READING = """\
`python -m benchmarks.soak`: a real server process, its ages shortened so that a room's life fits
into a cycle, and a crowd that comes, chats, sends nonsense, changes state, reloads, vanishes,
resumes, reads event streams and goes. After each cycle everybody leaves; once the rooms are gone,
garbage is collected and what is left is counted. The first cycle warms up. It fails when anything
is left at rest, when objects or allocated blocks at rest grew by more than 0.5 % or resident memory
by more than 4 MB since the warm-up, and when the server logged a fault. Every second stands in
`soak.csv`."""


def write(soak: Soak, folder: Path) -> None:
    with (folder / "soak.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for sample in soak.samples:
            rows.writerow(text.format(sample[name]) for name, text in COLUMNS.items())
    draw(soak, folder / "soak.svg")
    results = folder / "RESULTS.md"
    document = results.read_text() if results.exists() else ""
    results.write_text(sections.put(document, "soak", section(soak)))


def section(soak: Soak) -> str:
    """Markdown."""
    head = ["at rest after", "visits", "resident MB", "objects", "blocks", "tasks", "rooms"]
    lag = max(sample["worst"] for sample in soak.samples)
    parts = [
        "## Soak",
        READING,
        conditions(soak),
        "![Resident memory, objects at rest, rooms and loop lag over the run](soak.svg)",
        table(head, [rest_row(rest) for rest in soak.rests]),
        f"Resident memory since the warm-up, by the median of slopes: {soak.growth() / 1e6:+.2f} "
        f"MB. Loop lag, at worst: {lag * 1000:.0f} ms.",
    ]
    return "\n\n".join(parts)


def conditions(soak: Soak) -> str:
    wrong = "; ".join(soak.verdict())
    shared = f"server, crowd and others share them: load average {soak.load:.1f} before"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {machine.system(shared)}: {soak.minutes:g} minutes, "
        f"{soak.clients} clients at once, {soak.visits:,} visits ({soak.resumed:,} resumed with "
        f"nothing lost), {soak.samples[-1]['delivered']:,} deliveries. "
        + (f"**Failed: {wrong}.**" if wrong else "Nothing was left.")
    )


def rest_row(rest: dict[str, Any]) -> list[str]:
    return [
        f"{rest['at']:.0f} s",
        f"{rest['visits']:,}",
        f"{rest['memory'] / 1e6:.1f}",
        f"{rest['objects']:,}",
        f"{rest['blocks']:,}",
        str(rest["tasks"]),
        str(rest["rooms"]),
    ]


def draw(soak: Soak, file: Path) -> None:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure

        from benchmarks.plot import INK, STYLE
    except ImportError:
        print("no plot: pip install matplotlib")
        return
    at = [sample["at"] / 60 for sample in soak.samples]
    rests = [rest["at"] / 60 for rest in soak.rests]
    with mpl.rc_context(STYLE):
        picture = Figure(figsize=(10, 7), layout="constrained")
        panels = picture.subplots(4, 1, sharex=True)
        memory, objects, rooms, lag = panels
        memory.plot(at, [s["memory"] / 1e6 for s in soak.samples], color="#e5484d")
        memory.set_ylabel("resident MB")
        objects.plot(rests, [r["objects"] / 1000 for r in soak.rests], "o-", color="#9a6cd8")
        objects.set_ylabel("1,000 objects\nat rest")
        rooms.plot(
            at, [s["connections"] for s in soak.samples], label="connections", color="#3e8fdd"
        )
        rooms.plot(at, [s["rooms"] for s in soak.samples], label="rooms", color="#46a758")
        rooms.legend(frameon=False, loc="lower right", ncols=2)
        rooms.set_ylabel("open")
        lag.plot(at, [s["lag"] * 1000 for s in soak.samples], color="#e08a00")
        lag.set_ylabel("loop lag, ms")
        lag.set_xlabel("minutes")
        for axes in panels:
            axes.set_ylim(0, axes.get_ylim()[1] * 1.1)
            axes.grid(axis="y", color=INK, alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        picture.savefig(file, transparent=True, metadata={"Date": None})
