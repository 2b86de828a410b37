"""PURE. WebSocket messages as bytes that are ready for every socket.

A frame is made once and shared by all who get it: a server does not mask what it sends (RFC 6455,
section 5.1). It is never compressed, which is legal where compression was negotiated too: a message
whose RSV1 bit is 0 is what it is (RFC 7692, section 6).
"""

from __future__ import annotations

from typing import Any

TEXT = 0x81  # FIN, opcode 1
BINARY = 0x82  # FIN, opcode 2
BATCH_SIZE = 65_536  # asyncio's high-water mark: more in one write has no use
SHORT_HEADERS = {kind: [bytes((kind, size)) for size in range(126)] for kind in (TEXT, BINARY)}


class Frame:
    """One message to browsers.

    `data` are the bytes for the wire, `payload` the text or bytes inside, `key` names what a newer
    frame of the same key replaces (for outboxes that conflate).
    """

    __slots__ = ("count", "data", "key", "open", "payload", "size")

    def __init__(self, payload: str | bytes, *, key: str | None = None) -> None:
        kind, body = (TEXT, payload.encode()) if isinstance(payload, str) else (BINARY, payload)
        self.data = _header(kind, len(body)) + body
        self.size = len(self.data)
        self.payload = payload
        self.count = 1  # messages in it, as of a batch
        self.key = key
        self.open = False

    @classmethod
    def of(cls, event: dict[str, Any]) -> Frame:
        """The frame of an ASGI `websocket.send` event."""
        text = event.get("text")
        return cls(event["bytes"] if text is None else text, key=event.get("key"))

    def event(self) -> dict[str, Any]:
        """The ASGI event, for servers that make the frame themselves."""
        kind = "text" if isinstance(self.payload, str) else "bytes"
        return {"type": "websocket.send", kind: self.payload}

    def events(self) -> list[dict[str, Any]]:
        return [self.event()]


class Batch:
    """What a group is sent in one tick: it stands once in each member's outbox, and grows there.

    It is open until something else is to go out behind it, to anybody who has it, or until it is
    written: so the order is the same as of single frames.
    """

    __slots__ = ("_data", "_frames", "count", "open", "size")
    key = None

    def __init__(self, frame: Frame) -> None:
        self._frames = [frame]
        self._data: bytes | None = None
        self.size = frame.size
        self.count = 1
        self.open = True

    def add(self, frame: Frame) -> bool:
        """Whether there was room: not when it is closed, or large."""
        if not self.open or self.size > BATCH_SIZE:
            return False
        self._frames.append(frame)
        self.size += frame.size
        self.count += 1
        return True

    @property
    def data(self) -> bytes:
        """All frames as one piece of bytes, made once; reading it closes the batch."""
        if self._data is None:
            self.open = False
            self._data = b"".join([frame.data for frame in self._frames])
        return self._data

    def events(self) -> list[dict[str, Any]]:
        self.open = False
        return [frame.event() for frame in self._frames]


def _header(kind: int, size: int) -> bytes:
    if size < 126:
        return SHORT_HEADERS[kind][size]
    if size < 65_536:
        return bytes((kind, 126)) + size.to_bytes(2, "big")
    return bytes((kind, 127)) + size.to_bytes(8, "big")
