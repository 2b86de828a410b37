"""`python app.py doctor`: what is wrong here, and how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from realtime.doctor import configured, machine, project, running
from realtime.doctor.finding import Finding, Verdict, count
from realtime.doctor.report import as_json, as_text
from realtime.management.terminal import has_colours, quiet_end


class Command(BaseCommand):
    help = "Look this project, machine and server over; status 1 when there is a problem."
    requires_system_checks: list[str] = []  # noqa: RUF012 (it runs them itself, and goes on)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = once(examined())
        is_painted = has_colours(self.stdout) and not options["no_color"]
        with quiet_end():
            for line in (
                [as_json(findings)]
                if options["json"]
                else as_text(findings, is_painted=is_painted or options["force_color"])
            ):
                self.stdout.write(line)
            self.stdout.flush()
        if count(findings, Verdict.PROBLEM):
            sys.exit(1)


def examined() -> Iterator[Finding]:
    yield from machine.look()
    yield from configured.look()
    yield from running.look()
    yield from project.look(Path(getattr(settings, "BASE_DIR", ".")))


def once(findings: Iterator[Finding]) -> list[Finding]:
    """A mistake that was found in a file is not said again without the place, nor the reverse."""
    found = list(findings)
    placed = {finding.mistake for finding in found if finding.mistake and finding.place}
    return [f for f in found if f.place or f.mistake not in placed or not f.mistake]
