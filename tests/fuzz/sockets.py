"""Bytes on a socket: uvicorn's WebSocket protocol with our mends, our connection, the echo.

The transport is in memory, so that a fuzzer sees which lines run; the answer is read back frame by
frame, and whatever the bytes were it is whole, ends with at most one close, and nobody's traceback
stands in the log.
"""

from __future__ import annotations

import asyncio
import logging
from functools import cache
from typing import Any

from django.test import override_settings
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from realtime.consumers import EchoConsumer
from realtime.logs import PeerFaults
from realtime.serving.workarounds import mend_uvicorn
from tests.raw import upgrade

OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
TURNS = 200


class Wire:
    """A transport whose peer reads all at once."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.data = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        if not self.is_closed:
            self.data += data

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Tracebacks(logging.Handler):
    """What would stand in the log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.addFilter(PeerFaults())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.records.append(record)


def talk(data: bytes) -> bytes:
    """What the echo answers; the first byte says how the others are sent. Raises for a fault."""
    how, frames = data[:1] or b"\0", data[1:]
    log, loop, faults = Tracebacks(), _loop(), list[Any]()
    loop.set_exception_handler(lambda _, context: faults.append(context))
    for name in ("uvicorn.error", "realtime"):
        logging.getLogger(name).addHandler(log)
    try:
        with override_settings(REALTIME_MAX_MESSAGE_SIZE=2_000):
            answer = loop.run_until_complete(_talk(how[0], frames))
    finally:
        for name in ("uvicorn.error", "realtime"):
            logging.getLogger(name).removeHandler(log)
    assert not faults, faults
    assert not log.records, log.format(log.records[0])
    _whole(answer)
    return answer


async def _talk(how: int, frames: bytes) -> bytes:
    """Bit 0: compression is offered; 1: the plain way out; 2, 3: in how many pieces; 6: early."""
    consumer = EchoConsumer.as_asgi()

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        async def sends(event: Any) -> None:
            await send(event)

        await consumer(scope, receive, sends)

    application = plain if how & 2 else consumer
    config = Config(application, interface="asgi3", log_config=None, ws_ping_interval=None)
    config.load()
    protocol: Any = WebSocketsSansIOProtocol(config, ServerState(), {})
    wire = Wire(protocol)
    protocol.connection_made(wire)
    protocol.data_received(upgrade(b"/", *([OFFER] if how & 1 else [])))
    for _ in range(0 if how & 64 else 9):  # until it is answered; with bit 6 frames come before
        await asyncio.sleep(0)
    size = max(1, len(frames) >> (how >> 2 & 3) * 2)
    for start in range(0, len(frames), size):
        if not wire.is_closed:
            protocol.data_received(frames[start : start + size])
            await asyncio.sleep(0)
    await _over(protocol, wire)
    return wire.data


async def _over(protocol: Any, wire: Wire) -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    wire.close()
    for _ in range(TURNS):
        await asyncio.sleep(0)
        if len(asyncio.all_tasks()) == 1:
            return
    raise AssertionError(f"still busy: {asyncio.all_tasks()}")


def _whole(answer: bytes) -> None:
    """A head, then whole frames, and a close last."""
    head, _, frames = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), head[:80]
    ended = not head.startswith(b"HTTP/1.1 101")
    while frames and not ended:
        size, start = frames[1], 2
        assert frames[0] & 0x0F in (1, 2, 8, 9, 10), frames[:9]
        assert not size & 0x80, "a server's frame is not masked"
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(frames[2:start], "big")
        assert len(frames) >= start + size, "half a frame"
        ended = frames[0] & 0x0F == 8
        frames = frames[start + size :]
    assert not frames or not head.startswith(b"HTTP/1.1 101"), f"after the close: {frames[:40]!r}"


@cache
def _loop() -> asyncio.AbstractEventLoop:
    mend_uvicorn()
    return asyncio.new_event_loop()
