"""Findings as a tired person reads them: what is well in one line each, the rest with its mend."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from realtime.doctor.finding import Finding, Verdict, count
from realtime.doctor.mistakes import PAGE
from realtime.words import counted

STYLES = {Verdict.OK: "32", Verdict.NOTE: "33", Verdict.PROBLEM: "31;1"}
INDENT = " " * 9
WIDEST = 100  # characters


def as_json(findings: Sequence[Finding]) -> str:
    report = {"problems": count(findings, Verdict.PROBLEM), "findings": findings}
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def as_text(findings: Sequence[Finding], *, is_painted: bool = False) -> Iterator[str]:
    """Lines; problems last, where the eye is when the command has ended."""
    for verdict in Verdict:
        for finding in findings:
            if finding.verdict is verdict:
                yield from _lines(finding, is_painted)
    yield ""
    yield from _sum(findings)


def _lines(finding: Finding, is_painted: bool) -> Iterable[str]:
    label = f"{finding.verdict:9}"
    if is_painted:
        label = f"\x1b[{STYLES[finding.verdict]}m{label}\x1b[0m"
    place = f"{finding.place}: " if finding.place else ""
    first, *rest = _wrapped(place + finding.text)
    lines = [label + first, *(INDENT + line for line in rest)]
    if finding.mend:
        start, *more = _wrapped(finding.mend, less=2)
        lines += [f"{INDENT}→ {start}", *(f"{INDENT}  {line}" for line in more)]
    return lines


def _wrapped(text: str, *, less: int = 0) -> list[str]:
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns) - len(INDENT) - less
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return textwrap.wrap(printable, max(30, width), break_long_words=False, break_on_hyphens=False)


def _sum(findings: Sequence[Finding]) -> Iterator[str]:
    problems, notes = (count(findings, v) for v in (Verdict.PROBLEM, Verdict.NOTE))
    words = [counted(n, what) for n, what in ((problems, "problem"), (notes, "note")) if n]
    yield f"{', '.join(words)}." if words else "All is well."
    if any(finding.mistake for finding in findings):
        yield f"Each mistake, with code before and after: {PAGE}"
