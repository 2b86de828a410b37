"""Lines that a command puts into somebody's file: at their place, or not at all."""

from __future__ import annotations

import pytest

from realtime.management.insertion import Unexpected, with_entry, with_import

APP = '''"""Ünïcode."""

import os
from one import two

os.environ["x"] = "]"
from apple import a  # noqa: E402
from zebra.urls import z  # noqa: E402

items = [
    "ü",  # with a comment, and a ]
    *z,
]
'''


def test_an_entry_comes_last() -> None:
    assert with_entry(APP, "items", '"new"') == APP.replace("    *z,\n", '    *z,\n    "new",\n')


def test_an_entry_of_an_empty_list_is_its_first() -> None:
    assert with_entry("items = [\n]\n", "items", "1") == "items = [\n    1,\n]\n"


def test_an_import_stands_where_the_alphabet_wants_it() -> None:
    line = "from quiz.urls import x as y  # noqa: E402\n"
    first, last = "from apple import a  # noqa: E402\n", "from zebra.urls import z  # noqa: E402\n"
    assert with_import(APP, "quiz.urls", "x as y") == APP.replace(first, first + line)
    line = line.replace("quiz", "zoo")
    assert with_import(APP, "zoo.urls", "x as y") == APP.replace(last, last + line)


def test_an_import_among_ordinary_ones_needs_no_excuse() -> None:
    text = with_import("from apple import (\n    a,\n)\nx = 1\n", "quiz", "b")
    assert text == "from apple import (\n    a,\n)\nfrom quiz import b\nx = 1\n"


def test_the_line_ends_of_windows_are_kept() -> None:
    text = APP.replace("\n", "\r\n")
    both = with_import(with_entry(text, "items", "1"), "quiz", "q")
    assert both.count("\r\n") == both.count("\n") == APP.count("\n") + 2


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("other = []\n", "no list items"),
        ("items = (1,)\n", "no list items"),
        ("items += [\n    1,\n]\n", "no list items"),
        ("def f():\n    items = [\n    ]\n", "no list items"),
        ("items = [1, 2]\n", "a line of its own"),
        ("items = [\n    1,\n    2]\n", "a line of its own"),
        ("items = [\n    1,\n] + more\n", "no list items"),
        ("items = [\n    1\n]\n", "no comma"),
        ("items = [\n    1  # ,\n]\n", "no comma"),
        ("items = [\n", "not Python"),
        ("items = '\0'", "not Python"),
    ],
)
def test_a_list_of_another_shape_is_left_alone(source: str, why: str) -> None:
    with pytest.raises(Unexpected, match=why):
        with_entry(source, "items", "3")


def test_a_file_without_imports_is_left_alone() -> None:
    with pytest.raises(Unexpected, match="no import"):
        with_import("import os\n", "quiz", "q")
