"""What an address may ask for, and the words for what it may not."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.arrival import Arrival
from realtime.codec import encode


def test_an_address_without_a_query_asks_for_nothing() -> None:
    assert Arrival.of(b"") == Arrival()


def test_all_that_can_be_asked_for() -> None:
    arrival = Arrival.of(b"name=Ada+L&client=c-1&history=20&epoch=e1&offset=7")
    assert arrival == Arrival(name="Ada L", client="c-1", recent=20, resume=("e1", 7))


@pytest.mark.parametrize("query", [b"name=J%C3%BCrgen", "name=Jürgen".encode()])
def test_a_name_may_be_escaped_or_as_it_is_typed(query: bytes) -> None:
    assert Arrival.of(query).name == "Jürgen"


def test_of_a_field_that_stands_twice_the_last_counts() -> None:
    assert Arrival.of(b"name=Ada&name=Bob&history=x&history=3") == Arrival(name="Bob", recent=3)


def test_empty_fields_are_as_good_as_none() -> None:
    assert Arrival.of(b"name=&client=") == Arrival()


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (b"name=" + b"a" * 65, "name"),
        (b"name=" + b"a" * 60_000, "name"),
        (b"name=%20", "name"),
        (b"name=a%00b", "name"),
        (b"name=%E2%80%AEevil", "name"),
        (b"name=%ff%fe", "name"),
        (b"name=\xff\xfe", "name"),
        (b"name=%ED%A0%80", "name"),
        (b"history=", "history"),
        (b"history=-1", "history"),
        (b"history=1.5", "history"),
        (b"history=all", "history"),
        (b"history=" + b"9" * 16, "history"),
        (b"history=" + b"9" * 60_000, "history"),
        ("history=\u0663".encode(), "history"),
        (b"history=%ff", "history"),
        (b"offset=1e400&epoch=e", "offset"),
        (b"offset=&epoch=e", "offset"),
        (b"epoch=e", "offset"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_said(query: bytes, path: str) -> None:
    arrival = Arrival.of(query)
    assert (arrival.name, arrival.recent, arrival.resume) == (None, None, None)
    (problem,) = arrival.problems
    assert problem.path == path
    assert len(encode(problem)) < 300


def test_an_offset_without_an_epoch_is_of_another_epoch() -> None:
    assert Arrival.of(b"offset=7").resume == ("", 7)


def test_fields_of_a_prototype_are_nothing() -> None:
    assert Arrival.of(b"__proto__=1&constructor=2&toString") == Arrival()


@given(st.binary(max_size=200) | st.text(string.printable).map(str.encode))
def test_no_query_is_an_error_of_ours(query: bytes) -> None:
    for prefix in (b"", b"name=", b"client=", b"history=", b"epoch=e&offset="):
        arrival = Arrival.of(prefix + query)
        for problem in arrival.problems:
            json.loads(encode(problem))
