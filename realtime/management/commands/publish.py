"""`python app.py publish ROOM JSON`: say something in a room of the running server."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.management.server import Server, room_path
from realtime.management.terminal import quiet_end

# Of a bad line that is shown.
LINE = 60


class Command(BaseCommand):
    help = "Publish JSON to a room of the running server; `-` reads one message a line."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's attribute)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("room", help="such as kitchen; of a kind, such as quiz/first")
        parser.add_argument("json", help="""such as '{"temp": 21.5}', or - for standard input""")
        parser.add_argument(
            "--volatile", action="store_true", help="for who is there now; not kept"
        )

    def handle(self, *args: Any, room: str, volatile: bool, **options: Any) -> None:
        self._server, self._volatile = Server(), volatile
        self._path = room_path(room, "messages")
        self._done, self._listening = 0, 0
        with quiet_end():
            try:
                self._publish_all(options["json"])
            finally:
                self._show_end()

    def _publish_all(self, text: str) -> None:
        # Bytes, for Python knows by itself which UTF a line of JSON is in.
        lines = sys.stdin.buffer if text == "-" else [text.encode(errors="surrogateescape")]
        for number, line in enumerate(lines, 1):
            if line.strip():
                self._publish(line, number if text == "-" else None)
                self._show_progress()

    def _publish(self, line: bytes, number: int | None) -> None:
        try:
            body = {"data": json.loads(line), "volatile": self._volatile}
        except ValueError as error:
            start = repr(line.strip().decode(errors="replace")[:LINE])
            what = "This" if number is None else f"Line {number}"
            raise CommandError(f"{what} is not JSON: {start} ({error}).{self._rest()}") from None
        try:
            receipt = self._server.post(self._path, body)
        except CommandError as error:
            where = "" if number is None else f"Line {number}: "
            raise CommandError(f"{where}{error}{self._rest()}") from None
        self._done, self._listening = self._done + 1, receipt["receivers"]

    def _rest(self) -> str:
        return f" Published before it: {self._done}; after it nothing." if self._done else ""

    def _show_progress(self) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{self._so_far()}", ending="")
            self.stdout.flush()

    def _show_end(self) -> None:
        if self._done:
            self.stdout.write("" if self.stdout.isatty() else self._so_far())

    def _so_far(self) -> str:
        return f"{self._done} published, {self._listening} listening"
