"""What this server is and has done, in the text format that Prometheus reads.

All is read when it is asked for; nothing is kept for it. No label names a room or a member, so the
number of lines has a bound, whatever people do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from realtime import consumer, counters, lag
from realtime.codes import CloseCode, ErrorCode
from realtime.connection import Overflow
from realtime.counters import traffic
from realtime.hub import serve_here
from realtime.messages import PROTOCOL

# A peer may close with any code from 1000 to 4999; those without a meaning share one line.
CLOSES = [*CloseCode, 1002, 1003, 1005, 1006, 1007, 1008, 1010, 1013]
OTHER = "other"

Key = TypeVar("Key", int, str)


class Server(Collector):
    """Reads the state of the running loop's hub: it must be asked in that loop."""

    def collect(self) -> Iterator[Metric]:
        hub = serve_here()
        rooms = hub.rooms.values()
        histories = [room.history for room in rooms]
        yield gauge("connections", "Sockets that are open.", len(consumer.live))
        yield gauge("event_streams", "Event streams that are open.", hub.readers.total())
        yield gauge("rooms", "Rooms with people or messages in them.", len(rooms))
        members = sum(room.roster.counts()[0] for room in rooms)
        yield gauge("members", "Members of rooms; who is in two counts twice.", members)
        held = sum(map(len, histories))
        yield gauge("history_messages", "Messages that rooms remember.", held)
        size = sum(history.held_bytes for history in histories)
        yield gauge("history_bytes", "Their size.", size)
        yield gauge("loop_lag_seconds", "How late the loop was when last looked at.", lag.latest())
        yield gauge("loop_lag_worst_seconds", "The same, at worst in a minute.", lag.worst())
        yield from totals()
        yield InfoMetricFamily(
            "realtime_build", "What runs.", {"build": hub.build, "protocol": str(PROTOCOL)}
        )


def totals() -> Iterator[Metric]:
    """What only ever grows."""
    yield counter("received_messages", "Messages from sockets.", traffic.received)
    delivered = "Messages to sockets and event streams, once for each that got it."
    yield counter("delivered_messages", delivered, traffic.delivered)
    yield counter("sent_bytes", "Bytes of these messages.", traffic.sent_bytes)
    yield by_label("closes", "Sockets that ended, by close code.", "code", CLOSES, counters.closes)
    refusals = "Messages answered with an error, by its code."
    yield by_label("refusals", refusals, "code", ErrorCode, counters.refusals)
    crashed = CounterMetricFamily(
        "realtime_handler_errors", "Handlers that raised, by class.", labels=["consumer"]
    )
    for consumer_class, count in sorted(counters.crashes.items()):
        crashed.add_metric([consumer_class], count)
    yield crashed
    dropped = "Messages that a slow reader's outbox let go, by its policy."
    policies = [policy.value for policy in Overflow]
    yield by_label("dropped_messages", dropped, "policy", policies, counters.dropped)


def gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(f"realtime_{name}", what, value)


def counter(name: str, what: str, value: float) -> Metric:
    return CounterMetricFamily(f"realtime_{name}", what, value)


def by_label(
    name: str, what: str, label: str, known: Iterable[Key], counts: Mapping[Key, int]
) -> Metric:
    """A line for each that is known, from the start, so that a first one shows as a rise."""
    family = CounterMetricFamily(f"realtime_{name}", what, labels=[label])
    keys = set(known)
    for key in sorted(keys):
        family.add_metric([str(key)], counts.get(key, 0))
    family.add_metric([OTHER], sum(count for key, count in counts.items() if key not in keys))
    return family


# A registry of its own: what an application counts with the library's default one is its own.
registry = CollectorRegistry()
registry.register(Server())
for kind in (ProcessCollector, PlatformCollector, GCCollector):
    kind(registry=registry)


def exposition(accept: str) -> tuple[bytes, str]:
    """The text and its content type, as the scraper's Accept header wants it."""
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
