"""Server-Sent Events, as the commands read them."""

from __future__ import annotations

import pytest

from realtime.management.streams import parse


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("data: 1\n\n", [("", "1")]),
        ("id: a:1\nevent: message\ndata: {}\n\n", [("a:1", "{}")]),
        (": still here\n\n", []),
        ("retry: 2000\nevent: welcome\ndata:1\n\ndata: 2\n\n", [("", "1"), ("", "2")]),
        ("data: one\ndata: two\n\n", [("", "one\ntwo")]),
        ("id: 1\r\ndata: x\r\n\r\n", [("1", "x")]),
        ("data: cut off\n", []),
        ("nonsense\n\n\n", []),
    ],
)
def test_events_are_read_as_the_standard_says(text: str, events: list[tuple[str, str]]) -> None:
    assert list(parse(text.splitlines(keepends=True))) == events
