"""The inputs that are kept: one a line in `corpus/<target>.txt`, as Python writes bytes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

# The functions of targets.py.
NAMES = (
    "wire address naming remembering attending rooms talking post poll socket".split()  # noqa: SIM905
)

FOLDER = Path(__file__).parent / "corpus"


def load(target: str) -> list[bytes]:
    path = FOLDER / f"{target}.txt"
    if not path.exists():
        return []
    return [ast.literal_eval(line) for line in path.read_text().splitlines() if line]


def save(target: str, inputs: Iterable[bytes]) -> None:
    lines = sorted({repr(data) for data in inputs}, key=lambda line: (len(line), line))
    (FOLDER / f"{target}.txt").write_text("".join(f"{line}\n" for line in lines))


def unpack(target: str, folder: Path) -> None:
    """Into files, as libFuzzer takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(load(target)):
        (folder / f"kept-{number:04}").write_bytes(data)


def smallest(target: Callable[[bytes], None], inputs: list[bytes]) -> list[bytes]:
    """Those of `inputs`, the shortest first, that each go a way of their own through our code."""
    return more(target, inputs, kept=[])


def more(target: Callable[[bytes], None], inputs: list[bytes], *, kept: list[bytes]) -> list[bytes]:
    """`kept`, and those of `inputs` that go a way that none before them goes."""
    ways = set[tuple[str, int, int]]().union(*(_ways(target, data) for data in kept))
    kept = list(kept)
    for data in sorted(inputs, key=len):
        new = _ways(target, data) - ways
        if new:
            ways |= new
            kept.append(data)
    return kept


def _ways(target: Callable[[bytes], None], data: bytes) -> set[tuple[str, int, int]]:
    """The steps from line to line that `data` makes in our modules."""
    found, last = set[tuple[str, int, int]](), dict[int, int]()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if "/realtime/" not in name:
            return None
        found.add((name, last.get(id(frame), 0), frame.f_lineno))
        last[id(frame)] = frame.f_lineno
        if event == "return":
            last.pop(id(frame), None)
        return trace

    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(None)
    return found


def pack(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir() if path.is_file()]
