"""What may go to a terminal, and in which colour."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest

from realtime.management.terminal import has_colours, painted, quiet_end, shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ada", "Ada"),
        ("Grüße 👩\u200d🚀", "Grüße 👩\u200d🚀"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb\tc\x00\x9b", "a\\r\\nb\\tc\\x00\\x9b"),
        ("\u202eevil\u2028\ufeff", "\\u202eevil\\u2028\\ufeff"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_text_is_one_line_without_control_characters(text: str, line: str) -> None:
    assert shown(text) == line


def test_colours_are_for_terminals_and_who_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert has_colours(Terminal())
    assert not has_colours(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colours(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not has_colours(Terminal())
    assert painted("Ada", "green", "bold") == "\x1b[32;1mAda\x1b[0m"
    assert painted("Ada") == "Ada"


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (BrokenPipeError, 0)])
def test_an_end_by_hand_or_by_the_reader_is_quiet(
    monkeypatch: pytest.MonkeyPatch, error: Any, status: int
) -> None:
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    with pytest.raises(SystemExit) as ended, quiet_end():
        raise error
    assert ended.value.code == status
