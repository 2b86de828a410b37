"""What may go to a terminal: text of strangers without its control characters, and colours.

A name or a message may hold escape sequences that clear the screen, retitle the window or write
backwards. They are shown as what they are: `\\x1b[2J`.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import TextIO

COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "grey": "2", "bold": "1"}

# Control, format (bidi), surrogate, private use, and separators of lines and paragraphs.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
JOINERS = "\u200c\u200d"  # emoji and Persian are made with them


def shown(text: str) -> str:
    """`text` in one line, whatever is in it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(char) for char in text)


def _escaped(char: str) -> str:
    if char in JOINERS or unicodedata.category(char) not in HIDDEN:
        return char
    return char.encode("unicode_escape").decode()


def has_colours(stream: io.TextIOBase | TextIO) -> bool:
    """Only a terminal has, and not where somebody said so: see https://no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, *styles: str) -> str:
    codes = ";".join(COLOURS[style] for style in styles)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


@contextlib.contextmanager
def quiet_end() -> Iterator[None]:
    """Ctrl+C ends the command with 130 and not a word; a reader that has gone (`| head`) with 0."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show é is no reason to end.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # Python would flush at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
