"""The picture: server CPU per delivery over the members of a room, as SVG."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import Results
from benchmarks.servers import (
    BARE,
    BROADCAST,
    CHANGED,
    FLOOR,
    NCHAN,
    NODE_SOCKETIO,
    OURS,
    PYTHON_SOCKETIO,
    STOCK,
)
from benchmarks.workloads import SIZES, WINDOWS, fanout

INK = "#7d848c"  # reads on white and on a dark page alike
COLOURS = {
    OURS: "#e5484d",
    CHANGED: "#e08a00",
    STOCK: "#a0785a",
    BARE: "#3e8fdd",
    BROADCAST: "#12a594",
    PYTHON_SOCKETIO: "#9a6cd8",
    NODE_SOCKETIO: "#46a758",
    NCHAN: "#d6409f",
    FLOOR: INK,
}
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 11,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "benchmarks",  # the same numbers draw the same file
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(results: Results, file: Path) -> None:
    with mpl.rc_context(STYLE):
        picture = Figure(figsize=(10, 4.6), layout="constrained")
        panels = picture.subplots(1, len(WINDOWS), sharey=True)
        for axes, window in zip(panels, WINDOWS, strict=True):
            draw_panel(axes, results, window)
        panels[0].set_ylabel("µs of server CPU per delivery")
        handles, labels = panels[0].get_legend_handles_labels()
        picture.legend(handles, labels, loc="outside right center", frameon=False)
        picture.savefig(file, transparent=True, metadata={"Date": None})


def draw_panel(axes: Axes, results: Results, window: int) -> None:
    for server in results.present():
        draw_line(axes, results, server, window)
    axes.set_title(f"{window} in flight", color=INK)
    axes.set_xlabel("members of the room")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    axes.tick_params(which="minor", bottom=False)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(axis="y", color=INK, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def draw_line(axes: Axes, results: Results, server: str, window: int) -> None:
    found = {size: cost(results, server, size, window) for size in SIZES}
    points = {size: value for size, value in found.items() if value is not None}
    axes.plot(
        list(points),
        list(points.values()),
        label=server,
        color=COLOURS.get(server, INK),
        linewidth=3 if server == OURS else 1.6,
        linestyle="--" if server == FLOOR else "-",
        marker="o",
        markersize=6 if server == OURS else 4,
    )


def cost(results: Results, server: str, members: int, window: int) -> float | None:
    work = fanout(members, window)
    return results.median(work.name, server, work.metric)
