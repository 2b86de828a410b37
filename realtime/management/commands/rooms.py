"""`python app.py rooms`: what is open on the running server."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from realtime.management.server import ask


class Command(BaseCommand):
    help = "List the rooms of the running server."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's attribute)

    def handle(self, *args: Any, **options: Any) -> None:
        rooms = ask("/api/rooms/")["rooms"]
        if not rooms:
            self.stdout.write(
                "No rooms now: one begins when somebody enters it, or something is published there."
            )
            return
        width = max(len("room"), *(len(room["name"]) for room in rooms))
        self.stdout.write(f"{'room':{width}}  members  connections  messages")
        for room in rooms:
            counts = f"{room['members']:7}  {room['connections']:11}  {room['offset']:8}"
            self.stdout.write(f"{room['name']:{width}}  {counts}")
