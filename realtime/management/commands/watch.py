"""`python app.py watch ROOM`: what happens in a room of the running server, as it happens."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.management.server import ask, room_path
from realtime.management.streams import Event, Follower
from realtime.management.terminal import has_colours, painted, quiet_end, shown
from realtime.words import counted


class Command(BaseCommand):
    help = "Show what happens in a room, a line for each event. Stop with Ctrl+C."
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's attribute)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("room", help="such as kitchen; of a kind, such as quiz/first")
        parser.add_argument("--json", action="store_true", help="one JSON a line, for pipes")

    def handle(self, *args: Any, room: str, **options: Any) -> None:
        paint = has_colours(self.stdout) and not options["no_color"]
        lines = Lines(is_painted=paint or options["force_color"])
        with quiet_end():
            for event in Follower(room, self._say).events():
                if options["json"]:
                    self._write([] if event["type"] == "ping" else [json.dumps(event)])
                    continue
                if event["type"] == "welcome":
                    lines.know(*members_of(room))
                self._write(lines.of(event))

    def _write(self, lines: list[str]) -> None:
        for line in lines:
            self.stdout.write(line)
        if lines:
            self.stdout.flush()  # a pipe gets each now, not 4,096 bytes later

    def _say(self, sentence: str) -> None:
        self.stderr.write(shown(sentence), style_func=str)
        self.stderr.flush()


def members_of(room: str) -> tuple[list[Event], int]:
    """Who is in the room now, of a crowd the first; and how many there are."""
    try:
        answer = ask(room_path(room, "members"))
    except CommandError:  # gone again in between: the next welcome asks anew
        return [], 0
    return answer["members"], answer["count"]


class Lines:
    """Events as a person reads them; remembers the names, for a leave says only an id."""

    def __init__(self, *, is_painted: bool = False) -> None:
        self._is_painted = is_painted
        self._members: dict[str, Event] = {}
        self._unnamed = 0  # of those who were there at the welcome

    def know(self, members: list[Event], count: int) -> None:
        self._members = {member["id"]: member for member in members}
        self._unnamed = count - len(members)

    def of(self, event: Event) -> list[str]:
        """The lines of one event; none for what a person need not see."""
        match event["type"]:
            case "welcome":
                return [self._line(None, self._here(), "grey")]
            case "message":
                who = shown(event["name"]) or "server"
                return [self._line(event["at"], f"{self._paint(who, 'bold')}  {said(event)}")]
            case "signal":
                who = self._name(event["member"]) if event["member"] else "server"
                return [self._line(None, f"{who}  (signal) {said(event)}", "grey")]
            case "presence":
                return self._presence(event)
        return []

    def _presence(self, event: Event) -> list[str]:
        lines = [self._line(None, f"- {self._name(leaver)}", "red") for leaver in event["leaves"]]
        for member in event["updates"]:
            lines += [
                self._line(None, f"~ {words}", "yellow")
                for words in changes(self._members.get(member["id"], {}), member)
            ]
        lines += [self._line(None, f"+ {shown(each['name'])}", "green") for each in event["joins"]]
        for leaver in event["leaves"]:
            self._members.pop(leaver, None)
        self._members |= {each["id"]: each for each in (*event["updates"], *event["joins"])}
        if not (event["leaves"] or event["updates"] or event["joins"]):
            count = counted(event["count"]["members"], "member")
            lines.append(self._line(None, f"= {count}", "grey"))
        return lines

    def _here(self) -> str:
        names = [shown(member["name"]) for member in self._members.values()]
        count = len(names) + self._unnamed
        rest = f" and {self._unnamed:,} more" if self._unnamed else ""
        return f"{count:,} here: {', '.join(names)}{rest}" if names else "Nobody is here."

    def _name(self, member: str) -> str:
        return shown(self._members.get(member, {}).get("name", member))

    def _line(self, at: str | None, text: str, *styles: str) -> str:
        return f"{self._paint(clock(at), 'grey')}  {self._paint(text, *styles)}"

    def _paint(self, text: str, *styles: str) -> str:
        return painted(text, *styles) if self._is_painted else text


def clock(at: str | None) -> str:
    """Local time of the moment, which the wire gives in UTC; without one, of now."""
    moment = datetime.fromisoformat(at) if at else datetime.now().astimezone()
    return moment.astimezone().strftime("%H:%M:%S")


def said(event: Event) -> str:
    """The data in one line: the text of a chat's message as text, anything else as JSON."""
    data = event["data"]
    if isinstance(data, dict) and list(data) == ["text"]:
        data = data["text"]
    return shown(data if isinstance(data, str) else json.dumps(data, ensure_ascii=False))


def changes(before: Event, after: Event) -> list[str]:
    """What is new of a member, in words; that a second tab opened is no news."""
    name = shown(after["name"])
    words = []
    if before.get("name", after["name"]) != after["name"]:
        words.append(f"{shown(before['name'])} is now {name}")
    if before.get("away", False) != after["away"]:
        words.append(f"{name} {'away' if after['away'] else 'is back'}")
    if before.get("state", {}) != after["state"]:
        words.append(f"{name}  {shown(json.dumps(after['state'], ensure_ascii=False))}")
    return words
