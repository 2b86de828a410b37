"""What has happened since this process began, counted; nothing is ever taken away."""

from __future__ import annotations

from collections import Counter


class Traffic:
    """What sockets brought and took; event streams over HTTP take, too."""

    __slots__ = ("delivered", "received", "sent_bytes")

    def __init__(self) -> None:
        # Messages that came in.
        self.received = 0
        # Messages that went out: one that went to 100 sockets counts 100.
        self.delivered = 0
        # Bytes of these, as frames; what TLS, TCP and handshakes need comes on top.
        self.sent_bytes = 0


traffic = Traffic()

# Sockets that ended, by close code.
closes: Counter[int] = Counter()

# Handlers that raised, by the consumer's class; work in the background, by its function.
crashes: Counter[str] = Counter()

# Messages, and parts of an address, that were answered with an `error`: by its code.
refusals: Counter[str] = Counter()

# Frames that an outbox let go instead of closing its slow reader, by policy.
dropped: Counter[str] = Counter()
