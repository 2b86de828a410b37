"""What is asked of a server: one `Workload` per row of the table. Nothing runs here."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["fanout", "echo", "idle", "connect", "start"]

PLAIN = 64
BIG = 4096


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One row. `metric` names the figure of a run that is compared; lower is better."""

    kind: Kind
    metric: str
    members: int = 1
    window: int = 1
    size: int = PLAIN
    deflate: bool = False
    slow: float = 0.0
    room: bool = True  # where members connect: the room, or the echo path

    @property
    def name(self) -> str:
        """What `--only` matches and the report looks up: fanout-1000-w8-4096-deflate."""
        match self.kind:
            case "fanout":
                extras = [str(self.size)] if self.size != PLAIN else []
                extras += ["deflate"] if self.deflate else []
                extras += ["slow"] if self.slow else []
                return "-".join(["fanout", str(self.members), f"w{self.window}", *extras])
            case "echo":
                return f"echo-{self.members}"
            case "idle":
                return "idle-room" if self.room else "idle-echo"
            case "connect":
                return f"{'join' if self.room else 'connect'}-{self.members}"
            case "start":
                return "start"

    @property
    def patience(self) -> float:
        """Seconds without a delivery until the server counts as stalled."""
        return 5 if self.slow else 60

    @property
    def title(self) -> str:
        """The row's label, with its unit."""
        match self.kind:
            case "fanout":
                return self._fanout_title()
            case "echo":
                return f"echo, {self.members:,} at once, µs"
            case "idle":
                return f"idle {'member' if self.room else 'connection'}, KB"
            case "connect":
                what = "joins of one room" if self.room else "bare connects"
                return f"{self.members:,} {what}, s"
            case "start":
                return "start to first answer, s"

    def _fanout_title(self) -> str:
        extras = ["4 KiB"] if self.size == BIG else []
        extras += ["deflate"] if self.deflate else []
        extras += [f"{self.slow:.0%} do not read"] if self.slow else []
        unit = "p99 ms" if self.metric == "p99_ms" else "µs"
        return ", ".join([f"fan-out {self.members:,} × {self.window}", *extras, unit])


def fanout(members: int, window: int, *, size: int = PLAIN, deflate: bool = False) -> Workload:
    return Workload(
        kind="fanout",
        metric="us_per_delivery",
        members=members,
        window=window,
        size=size,
        deflate=deflate,
    )


SIZES = (10, 100, 1000, 5000)
WINDOWS = (1, 8)

FANOUT = [fanout(members, window) for members in SIZES for window in WINDOWS]


def variants(*sizes: int) -> list[Workload]:
    return [
        fanout(members, window, size=size, deflate=deflate)
        for size, deflate in ((BIG, False), (PLAIN, True), (BIG, True))
        for members in sizes
        for window in WINDOWS
    ]


OTHERS = [
    Workload(kind="fanout", metric="p99_ms", members=100, size=BIG, slow=0.05),
    Workload(kind="echo", metric="us_per_delivery", members=1, room=False),
    Workload(kind="echo", metric="us_per_delivery", members=100, room=False),
    Workload(kind="idle", metric="kb_per_connection", members=2000, room=False),
    Workload(kind="idle", metric="kb_per_connection", members=2000),
    Workload(kind="connect", metric="connect_s", members=1000, room=False),
    Workload(kind="connect", metric="connect_s", members=1000),
    Workload(kind="start", metric="start_s"),
]

QUICK = [fanout(100, 1), fanout(100, 8), fanout(1000, 1), *OTHERS]
USUAL = [*FANOUT, *variants(100, 1000), *OTHERS]
FULL = [*FANOUT, *variants(*SIZES), *OTHERS]
