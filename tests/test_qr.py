"""QR codes: what a page and a terminal show is what segno, which knows the standard, has made."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import segno

from realtime.web.qr import BLACK_ON_WHITE, PLAIN, QUIET_ZONE, modules, svg, terminal

TEXTS = ["http://192.168.0.7:8000/", "http://10.0.0.9:8000/rooms/" + "k" * 64 + "/"]


def expected(text: str) -> list[list[bool]]:
    """By segno's own way to write it, as text of 0 and 1."""
    code = segno.make(text, error="m", micro=False)
    return [[bool(module) for module in row] for row in code.matrix_iter(border=QUIET_ZONE)]


def drawn(path: str, size: int) -> list[list[bool]]:
    """The modules that the rectangles of an SVG path cover."""
    rows = [[False] * size for _ in range(size)]
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path):
        for column in range(int(x), int(x) + int(width)):
            rows[int(y)][column] = True
    return rows


def printed(lines: str) -> list[list[bool]]:
    """The modules that half blocks show, each line two rows of them."""
    rows = []
    for line in lines.split("\n"):
        blocks = line.removeprefix(BLACK_ON_WHITE).removesuffix(PLAIN)
        rows.append([block in "▀█" for block in blocks])
        rows.append([block in "▄█" for block in blocks])
    return rows


@pytest.mark.parametrize("text", TEXTS)
def test_a_page_shows_the_code_black_on_white(text: str) -> None:
    picture = ElementTree.fromstring(svg(text))
    ground, code = picture
    size = len(expected(text))
    assert picture.attrib["viewBox"] == f"0 0 {size} {size}"
    assert (ground.attrib["fill"], code.attrib["fill"]) == ("#fff", "#000")
    assert ground.attrib["d"] == f"M0 0h{size}v{size}H0z"
    assert drawn(code.attrib["d"], size) == expected(text)


@pytest.mark.parametrize("text", TEXTS)
def test_a_terminal_shows_the_code_whatever_its_colours_are(text: str) -> None:
    lines = terminal(text).split("\n")
    assert all(line.startswith(BLACK_ON_WHITE) and line.endswith(PLAIN) for line in lines)
    size = len(expected(text))
    rows = printed(terminal(text))
    assert rows[:size] == expected(text)
    assert all(row == [False] * size for row in rows[size:])


@pytest.mark.parametrize("text", TEXTS)
def test_the_code_stands_in_its_quiet_zone(text: str) -> None:
    rows = modules(text)
    edges = [*rows[:QUIET_ZONE], *rows[-QUIET_ZONE:]]
    edges += [row[:QUIET_ZONE] + row[-QUIET_ZONE:] for row in rows]
    assert not any(any(edge) for edge in edges)
    assert rows[QUIET_ZONE][QUIET_ZONE]


def test_the_text_of_an_address_cannot_leave_its_attribute() -> None:
    picture = ElementTree.fromstring(svg('http://[::1]/"><script>'))
    assert picture.attrib["aria-label"] == 'QR code of http://[::1]/"><script>'
    assert len(picture) == 2


def test_the_first_address_of_a_home_network_fits_a_small_terminal() -> None:
    lines = terminal(TEXTS[0]).split("\n")
    assert len(lines) <= 17
    assert len(modules(TEXTS[0])) <= 40
