"""QR codes of addresses, made here and offline: as SVG for a page, as half blocks for a terminal.

Dark on light in every colour scheme, with the quiet zone of the standard: many phones read nothing
else.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby

import segno
from django.utils.html import format_html
from django.utils.safestring import SafeString

# Modules of light around the code (ISO/IEC 18004, section 6.3.8).
QUIET_ZONE = 4

# Two modules above each other, True is dark, drawn in the colour of the text on that of the ground.
BLOCKS = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}

# Black on white by number, as the 16 named colours are whatever the terminal's theme makes of them.
BLACK_ON_WHITE, PLAIN = "\x1b[38;5;16;48;5;231m", "\x1b[0m"


@lru_cache(maxsize=64)  # some milliseconds each, on a small machine
def svg(text: str) -> SafeString:
    """An `<svg>` that fills its place, for a page."""
    rows = modules(text)
    return format_html(
        '<svg class="qr" viewBox="0 0 {0} {0}" role="img" aria-label="QR code of {1}" '
        'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{0}v{0}H0z"/>'
        '<path fill="#000" d="{2}"/></svg>',
        len(rows),
        text,
        "".join(_bars(row, y) for y, row in enumerate(rows)),
    )


def terminal(text: str) -> str:
    """Lines for a terminal of 256 colours, each as wide as `modules` and two of them high."""
    rows = modules(text)
    rows += [[False] * len(rows)] * (len(rows) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    lines = ("".join(map(BLOCKS.__getitem__, zip(*pair, strict=True))) for pair in pairs)
    return "\n".join(f"{BLACK_ON_WHITE}{line}{PLAIN}" for line in lines)


def modules(text: str) -> list[list[bool]]:
    """Row by row, True is dark; the quiet zone is there."""
    code = segno.make(text, error="m", micro=False)
    return [[bool(module) for module in row] for row in code.matrix_iter(border=QUIET_ZONE)]


def _bars(row: list[bool], y: int) -> str:
    """The dark stretches of a row, as rectangles of an SVG path."""
    path, x = "", 0
    for is_dark, stretch in groupby(row):
        width = len(list(stretch))
        if is_dark:
            path += f"M{x} {y}h{width}v1h-{width}z"
        x += width
    return path
