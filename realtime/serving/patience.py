"""How long an HTTP peer may take, and how large the head of its request may be.

uvicorn waits for ever: for the end of a head that comes a byte a minute, for a body that does not
come, for a reader that takes nothing; and it takes a head of any size. A few thousand such peers,
or one, would lock everybody out. Here each has its time, as in Apache's mod_reqtimeout and nginx;
WebSockets have limits of their own (connection.py).
"""

from __future__ import annotations

import asyncio
import enum
from typing import Any

from realtime.serving.descriptors import say_when_low

# Bytes of a request's line and headers, all together. As many as a line of a handshake may have.
LONGEST_HEAD = 65_536

# Seconds between two looks at all connections.
LOOK = 2.0

# Bytes a second below which a body is not an upload.
SLOWEST_BODY = 500

LATE = b"HTTP/1.1 408 Request Timeout\r\n"
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


class Wait(enum.Enum):
    """What a connection waits for."""

    HEAD = enum.auto()  # of its first request, or of the next once a part of it is there
    BODY = enum.auto()
    READER = enum.auto()  # who takes nothing of its answer


# Seconds; a body has one more for each SLOWEST_BODY bytes that it has announced.
PATIENCE = {Wait.HEAD: 20.0, Wait.BODY: 20.0, Wait.READER: 60.0}


def limit_requests() -> None:
    """Have uvicorn's two HTTP protocols bounded. Calling it again changes nothing."""
    for protocol_class in _protocols():
        if not getattr(protocol_class, "realtime_bounded", False):
            protocol_class.realtime_bounded = True
            _bound_time(protocol_class)
            if hasattr(protocol_class, "on_headers_complete"):  # h11 itself bounds a head
                _bound_head(protocol_class)


def _protocols() -> list[Any]:
    found: list[Any] = []
    try:
        from uvicorn.protocols.http.h11_impl import H11Protocol

        found.append(H11Protocol)
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        found.append(HttpToolsProtocol)
    except ImportError:  # another server, or no httptools
        pass
    return [each for each in found if hasattr(each, "connection_made")]


def _bound_time(protocol_class: Any) -> None:
    made = protocol_class.connection_made

    def connection_made(protocol: Any, transport: Any) -> None:
        made(protocol, transport)
        watch = getattr(protocol.server_state, "realtime_watch", None)
        if watch is None:
            watch = protocol.server_state.realtime_watch = Watch(protocol.connections)
        watch.start()

    protocol_class.connection_made = connection_made


def _bound_head(protocol_class: Any) -> None:
    hear = protocol_class.data_received

    def data_received(protocol: Any, data: bytes) -> None:
        hear(protocol, data)
        if protocol.scope is None or "method" in protocol.scope:
            protocol.realtime_head = 0
            return
        protocol.realtime_head = getattr(protocol, "realtime_head", 0) + len(data)
        if protocol.realtime_head > LONGEST_HEAD:
            sentence = f"The head of a request may have {LONGEST_HEAD:,} bytes."
            _refuse(protocol, TOO_LONG, sentence)

    protocol_class.data_received = data_received


class Watch:
    """Looks at the connections of one server now and then, as long as there are any."""

    def __init__(self, connections: set[Any]) -> None:
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None
        # What each waits for, and since when.
        self._waits: dict[Any, tuple[Wait, float]] = {}

    def start(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(LOOK, self.look, loop)

    def look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now, waits = loop.time(), dict[Any, tuple[Wait, float]]()
        for protocol in list(self._connections):
            wait = _waits_for(protocol)
            if wait is None:
                continue
            before, since = self._waits.get(protocol, (wait, now))
            waits[protocol] = wait, since if before is wait else now
            if now - waits[protocol][1] >= _limit(protocol, wait):
                _end(protocol, wait)
        self._waits = waits
        say_when_low(len(self._connections), now)
        if self._connections:
            self.start()


def _waits_for(protocol: Any) -> Wait | None:
    """None for a WebSocket, for a handler at work, and for what uvicorn itself ends."""
    if not hasattr(protocol, "flow"):
        return None
    if protocol.flow.write_paused or protocol.transport.is_closing():
        return Wait.READER
    cycle = protocol.cycle
    if cycle is None or cycle.response_complete:
        return Wait.HEAD if protocol.timeout_keep_alive_task is None else None
    if cycle.more_body and not protocol.flow.read_paused:
        return Wait.BODY
    return None


def _limit(protocol: Any, wait: Wait) -> float:
    if wait is not Wait.BODY:
        return PATIENCE[wait]
    sizes = [value for name, value in protocol.scope["headers"] if name == b"content-length"]
    return PATIENCE[wait] + (int(sizes[0]) / SLOWEST_BODY if sizes else 0)


def _end(protocol: Any, wait: Wait) -> None:
    if wait is Wait.HEAD:
        _refuse(protocol, LATE, f"The request did not come within {PATIENCE[wait]:g} s.")
    else:
        protocol.transport.abort()


def _refuse(protocol: Any, status: bytes, sentence: str) -> None:
    """The last that is said; not into the middle of the answer to an earlier request."""
    if protocol.cycle is not None and not protocol.cycle.response_complete:
        protocol.transport.abort()
        return
    body = f"{sentence}\n".encode()
    head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n" % len(body)
    protocol.transport.write(status + head + b"connection: close\r\n\r\n" + body)
    protocol.transport.close()
