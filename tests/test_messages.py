"""The types of the wire; how they are read and written stands in test_codec.py."""

import pytest

from realtime.messages import Custom


@pytest.mark.parametrize(
    ("kind", "handler"),
    [("buzz", "on_buzz"), ("quiz.buzz", "on_quiz_buzz"), ("a-b_c.d", "on_a_b_c_d")],
)
def test_an_own_type_names_its_handler(kind: str, handler: str) -> None:
    assert Custom(kind, {}).handler == handler
