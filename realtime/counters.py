"""What has happened since this process began, counted; nothing is ever taken away."""

from __future__ import annotations

from collections import Counter

# Sockets that ended, by close code.
closes: Counter[int] = Counter()

# Messages, and parts of an address, that were answered with an `error`: by its code.
refusals: Counter[str] = Counter()

# Frames that an outbox let go instead of closing its slow reader, by policy.
dropped: Counter[str] = Counter()
