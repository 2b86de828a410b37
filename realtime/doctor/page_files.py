"""The mistakes that are made in templates and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from realtime.doctor.finding import Finding
from realtime.doctor.mistakes import MISTAKES
from realtime.doctor.sources import Project, Source

OPENS = "new WebSocket("
PLAIN = re.compile(r"""["'`]ws://""")
HTML = re.compile(r"\.(?:innerHTML|outerHTML)\s*\+?=(?!=)|insertAdjacentHTML\(|document\.write\(")


def look(project: Project) -> Iterator[Finding]:
    for source in project.pages:
        if OPENS in source.text or PLAIN.search(source.text):
            yield from _schemes(source)
        if OPENS in source.text:
            yield from _script(source)


def _schemes(source: Source) -> Iterator[Finding]:
    lines = source.text.splitlines()
    for number, line in enumerate(lines, 1):
        around = "".join(lines[max(0, number - 3) : number + 2])
        if PLAIN.search(line) and "wss" not in around:
            yield MISTAKES["ws-scheme"].at(source.place(number))


def _script(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if HTML.search(line):
            yield MISTAKES["inner-html"].at(source.place(number))
    if "setTimeout" not in source.text and "setInterval" not in source.text:
        yield MISTAKES["no-reconnect"].at(source.place(_line(source.text, OPENS)))


def _line(text: str, word: str) -> int:
    return text.partition(word)[0].count("\n") + 1
