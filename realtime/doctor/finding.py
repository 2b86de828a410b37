"""What the doctor finds: a verdict, a sentence, and the mend in one line."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    OK = "ok"
    NOTE = "note"  # it works, until it does not; or better to know
    PROBLEM = "problem"


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`topic` is what was looked at; `place` a file and line; `mistake` its id in mistakes.py."""

    verdict: Verdict
    topic: str
    text: str
    mend: str = ""
    place: str = ""
    mistake: str = ""


def ok(topic: str, text: str) -> Finding:
    return Finding(verdict=Verdict.OK, topic=topic, text=text)


def note(topic: str, text: str, mend: str) -> Finding:
    return Finding(verdict=Verdict.NOTE, topic=topic, text=text, mend=mend)


def problem(topic: str, text: str, mend: str) -> Finding:
    return Finding(verdict=Verdict.PROBLEM, topic=topic, text=text, mend=mend)


def count(findings: Iterable[Finding], verdict: Verdict) -> int:
    return sum(finding.verdict is verdict for finding in findings)
