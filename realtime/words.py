"""Numbers in sentences for people. Nothing else; the sentences stand where they are said."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 room`, `2,000 rooms`: for nouns that take an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
