"""`python app.py publish ROOM JSON`: say something in a room of the running server."""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.parse import quote

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.management.server import ask


class Command(BaseCommand):
    help = "Publish JSON to a room of the running server; `-` reads one message a line."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's attribute)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("room")
        parser.add_argument("json", help="""such as '{"temp": 21.5}', or - for standard input""")
        parser.add_argument(
            "--volatile", action="store_true", help="for who is there now; not kept"
        )

    def handle(self, *args: Any, room: str, volatile: bool, **options: Any) -> None:
        lines = sys.stdin if options["json"] == "-" else [options["json"]]
        count = 0
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            receipt = self._publish(room, line, number, volatile)
            count += 1
            self._show(f"{count} published, {receipt['receivers']} listening")
        if count and self.stdout.isatty():
            self.stdout.write("")

    def _publish(self, room: str, line: str, number: int, volatile: bool) -> Any:
        try:
            data = json.loads(line)
        except ValueError as error:
            raise CommandError(f"Line {number} is not JSON: {error}") from None
        path = f"/api/rooms/{quote(room, safe='')}/messages/"
        return ask(path, {"data": data, "volatile": volatile})

    def _show(self, text: str) -> None:
        """A line, which on a terminal is written over by the next."""
        if self.stdout.isatty():
            self.stdout.write(f"\r{text}", ending="")
        else:
            self.stdout.write(text)
