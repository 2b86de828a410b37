"""How much a peer may send: a token bucket, and a count of bad frames in a row; fair shares.

Not here: the numbers (settings), what happens to who goes too far (consumers), sizes (messages,
uvicorn). The clock is an argument, in monotonic seconds.
"""

from collections.abc import Iterable

# Tokens forgiven, so that who waits exactly `wait()` seconds is served: after years of uptime a
# float holds seconds to some 1e-7, which at 1,000 a second is 1e-4 tokens.
_ROUNDING = 1e-3


class TokenBucket:
    """`rate` tokens a second, `burst` at most and at first. One per connection, so it is small."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError(f"a rate above 0 and a burst of 1 or more, not {rate} and {burst}")
        self.rate, self.burst = rate, burst
        self._tokens = float(burst)
        self._at: float | None = None

    def take(self, now: float, cost: float = 1) -> bool:
        """Take `cost` tokens, or none and False. A cost above `burst` can never be met."""
        self._refill(now)
        if self._tokens < cost - _ROUNDING:
            return False
        self._tokens -= cost
        return True

    def wait(self, now: float) -> float:
        """Seconds until the next token."""
        self._refill(now)
        return max(0.0, (1 - self._tokens) / self.rate)

    def _refill(self, now: float) -> None:
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._tokens = min(self.burst, self._tokens + passed * self.rate)
        self._at = now  # after a step back too, or a bucket would stand still until the old time


class Strikes:
    """`limit` bad frames in a row are enough; a good one forgives all before it."""

    __slots__ = ("count", "limit")

    def __init__(self, limit: int = 20) -> None:
        self.count, self.limit = 0, limit

    def good(self) -> None:
        self.count = 0

    def bad(self) -> bool:
        """True when it was one too many."""
        self.count += 1
        return self.count >= self.limit


def fair_share(wants: Iterable[int], total: int) -> int:
    """The most that each may have so that all together have at most `total`.

    Who wants less gets all of it, and what they leave goes to the others: max-min fairness
    (Bertsekas and Gallager, Data Networks, 2nd edition, section 6.5.2).
    """
    ordered = sorted(wants)
    for index, want in enumerate(ordered):
        share = total // (len(ordered) - index)
        if want > share:
            return share
        total -= want
    return ordered[-1] if ordered else total
