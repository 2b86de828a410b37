"""Which field of a refused frame is named."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.blame import deepest, unsendable

LIMIT = 32


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    "value",
    [
        "1e400",
        "-1e999",
        "NaN",
        "-Infinity",
        "9" * 4301,
        "-" + "9" * 4301,
        r'"\ud800"',
        r'"\udc00a"',
    ],
    ids=lambda value: value[:12],
)
@pytest.mark.parametrize("around", ["%s", "[1,%s]", '{"a":{"b":%s}}'])
def test_the_field_that_cannot_be_sent_is_named(value: str, around: str) -> None:
    frame = '{"type":"message","before":[1,"\\ud83c\\udf55"],"data":%s,"after":null}'
    assert unsendable(frame % (around % value)) == "$.data"
    assert unsendable((frame % (around % value)).encode()) == "$.data"


def test_a_number_that_is_merely_large_is_not_blamed() -> None:
    large = "9" * 4300
    assert unsendable(f'{{"a":{large},"b":-{large},"c":1e308,"d":NaN}}') == "$.d"


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "hello",
        '{"type":',
        "[1e400]",
        "1e400",
        '{"a":1} x',
        r'{"\ud800":1e400}',
        b"\xff",
        b"{\xff}",
    ],
)
def test_where_no_field_can_be_named_it_is_the_whole(frame: str | bytes) -> None:
    assert unsendable(frame) == "$"


def test_a_long_key_is_cut() -> None:
    assert unsendable('{"%s":NaN}' % ("a" * 60_000)) == "$." + "a" * 40


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        ('{"type":"message","data":%s}', "$.data"),
        ('{"data" : %s,"type":"message"}', "$.data"),
        ('{"a":[[{}]],"b":{"x":[]},"data":{"deep":%s}}', "$.data"),
        (r'{"type":"[[[[\"}}","d\"a":%s}', '$.d"a'),
        ('{"küche":%s}', "$.küche"),
        (r'{"\u0061":%s}', "$.a"),
        (r'{"\ud800":%s}', "$"),
        ("[%s]", "$"),
        ("%s", "$"),
    ],
)
@pytest.mark.parametrize("levels", [LIMIT, 10_000])
def test_the_field_that_is_too_deep_is_named(frame: str, field: str, levels: int) -> None:
    assert deepest(frame % nested(levels), LIMIT) == field
    assert deepest((frame % ("[" * levels)).encode(), LIMIT) == field  # left open


def test_brackets_in_a_text_are_no_levels() -> None:
    frame = '{"a":"%s","b":%s}'
    assert deepest(frame % ("[" * 99, nested(LIMIT)), LIMIT) == "$.b"
    assert deepest(frame % ("[" * 99, nested(LIMIT - 1)), LIMIT) == "$"


@given(st.text() | st.text(st.sampled_from('{}[]":,\\1eN')) | st.binary())
def test_no_frame_is_an_error_of_ours(frame: str | bytes) -> None:
    assert unsendable(frame).startswith("$")


def test_levels_beyond_what_python_reads_are_no_error_of_ours() -> None:
    levels = sys.getrecursionlimit() * 100
    assert unsendable(f'{{"a":{nested(levels)}}}') in ("$", "$.a")
