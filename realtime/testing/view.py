"""What a client makes of the frames that it is sent, by the rules of the wire."""

from __future__ import annotations

from typing import Any

Frame = dict[str, Any]


class View:
    """What a client has made of all it was sent; it fails the test where the wire's rules do.

    One that is not strict ignores what it knows already: on another layer than ours what was sent
    just before a welcome may come after it.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self._is_strict = strict
        self.member = ""
        self.epoch = ""
        self.seq = self.offset = 0
        self.count: Frame = {}
        self.members: dict[str, Frame] = {}
        # Messages that it has seen, by (epoch, offset); and how each welcome took it on.
        self.messages: dict[tuple[str, int], Any] = {}
        self.recovered: list[bool | None] = []
        self.resyncs = 0
        # Ids that a diff has shown to come and to go.
        self.joined: list[str] = []
        self.left: list[str] = []
        self._is_up = False

    def take(self, frame: Frame) -> list[Frame]:
        """Apply a frame; returns what the client answers."""
        match frame["type"]:
            case "welcome":
                self._welcome(frame)
            case "presence":
                return self._presence(frame)
            case "message":
                self._message(frame)
            case "ping":
                return [{"type": "pong"}]
        return []

    def lost(self) -> None:
        """The socket is gone."""
        self._is_up = False

    def query(self) -> dict[str, Any]:
        """What it says in the address to go on where it was."""
        return {"epoch": self.epoch, "offset": self.offset} if self.epoch else {}

    def _welcome(self, frame: Frame) -> None:
        if self._is_up:  # the answer to a resync: what was said has all come before
            assert (frame["epoch"], frame["offset"]) == (self.epoch, self.offset)
            assert (frame["recovered"], frame["messages"]) == (None, [])
        else:
            self._come_in(frame)
        self.members = {member["id"]: member for member in frame["members"]}
        self.seq, self.count = frame["seq"], frame["count"]

    def _come_in(self, frame: Frame) -> None:
        self._is_up = True
        self.member = frame["member"]
        self.recovered.append(frame["recovered"])
        if frame["recovered"]:
            assert frame["epoch"] == self.epoch, "another epoch holds nothing that was missed"
        else:
            self.epoch = frame["epoch"]
            self.offset = frame["offset"] - len(frame["messages"])
        for message in frame["messages"]:
            self._message(message)
        assert self.offset == frame["offset"], "a welcome has all up to its offset"

    def _presence(self, frame: Frame) -> list[Frame]:
        if frame["seq"] <= self.seq:
            assert not self._is_strict, f"presence {frame['seq']} after {self.seq}"
            return []
        if frame["seq"] > self.seq + 1:
            self.resyncs += 1
            return [{"type": "resync"}]
        self.seq, self.count = frame["seq"], frame["count"]
        for member in (*frame["joins"], *frame["updates"]):
            self.members[member["id"]] = member
        for member_id in frame["leaves"]:
            self.members.pop(member_id, None)
        self.joined += [member["id"] for member in frame["joins"]]
        self.left += frame["leaves"]
        return []

    def _message(self, frame: Frame) -> None:
        if not self._is_strict and frame["offset"] <= self.offset:
            return
        assert frame["offset"] == self.offset + 1, f"message {frame['offset']} after {self.offset}"
        self.offset = frame["offset"]
        assert (self.epoch, self.offset) not in self.messages
        self.messages[self.epoch, self.offset] = frame["data"]
