"""Six faults of uvicorn 0.54 that no ASGI application can see, mended where they are.

- What its WebSocket library cannot read (a line above 8 KiB, say the cookies of all projects on
  127.0.0.1, more than 128 headers, a body) that library refuses, but uvicorn never sends the
  refusal: the browser says "connecting" for ever.
- Text that is not UTF-8 with a close frame right behind it ends in a traceback.
- So do frames that come before the handshake has been answered: they wait for it.
- A peer whose frame is broken is closed at once, and may never see the code that says why.
- A peer that answers no ping is closed, and the closing waits for it to read what it was sent.
- An HTTP answer cannot be broken off: closing waits, without end, for a peer that does not read.

A version that has become different inside is left as it is.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from websockets import http11
from websockets.exceptions import InvalidState

logger = logging.getLogger("realtime")

# As long as what HTTP takes on the same port.
LONGEST_LINE = 65_536

# Bytes that a peer may send before the answer to its handshake.
MOST_EARLY = 65_536

# Seconds for a peer that answered no ping, or broke the protocol, to be told so.
LAST_WORD = 1.0

BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\n\r\nThis is no WebSocket request that can be read.\n"
)


def mend_uvicorn() -> None:
    """Mend them, and let requests have longer lines. Calling it again changes nothing."""
    http11.MAX_LINE_LENGTH = LONGEST_LINE
    _offer_abort()
    try:
        from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    except ImportError:
        return
    protocol_class: Any = WebSocketsSansIOProtocol
    if getattr(protocol_class, "realtime_mended", False):
        return
    protocol_class.realtime_mended = True
    _mend_handshakes_and_text(protocol_class)
    _mend_early_frames(protocol_class)
    _mend_broken_frames(protocol_class)
    _mend_missed_pings(protocol_class)


def _offer_abort() -> None:
    """Put `realtime.abort` among the extensions of HTTP scopes: it ends the connection."""
    for name in ("httptools_impl", "h11_impl"):
        try:
            module = import_module(f"uvicorn.protocols.http.{name}")
        except ImportError:
            continue
        cycle_class: Any = getattr(module, "RequestResponseCycle", None)
        original = getattr(cycle_class, "run_asgi", None)
        if original is not None and not hasattr(original, "realtime_mended"):
            cycle_class.run_asgi = _with_abort(original)


def _with_abort(original: Any) -> Any:
    async def run_asgi(cycle: Any, app: Any) -> None:
        abort = getattr(getattr(cycle, "transport", None), "abort", None)
        cycle.scope.setdefault("extensions", {})["realtime.abort"] = abort
        await original(cycle, app)

    run_asgi.realtime_mended = True  # type: ignore[attr-defined]
    return run_asgi


def _mend_handshakes_and_text(protocol_class: Any) -> None:
    original = getattr(protocol_class, "handle_events", None)
    if original is None:
        return

    def handle_events(protocol: Any) -> None:
        try:
            original(protocol)
        except InvalidState:
            _send_and_close(protocol)
        if protocol.conn.handshake_exc is not None and not protocol.handshake_initiated:
            _refuse(protocol, protocol.conn.handshake_exc)

    protocol_class.handle_events = handle_events


def _mend_early_frames(protocol_class: Any) -> None:
    """RFC 6455 has a client wait for the answer (section 4.1); one that does not is heard after it.

    uvicorn would answer a frame before the handshake, and then fail at it.
    """
    hear = getattr(protocol_class, "data_received", None)
    begin = getattr(protocol_class, "start_keepalive", None)  # called when it is answered
    if hear is None or begin is None:
        return

    def data_received(protocol: Any, data: bytes) -> None:
        if protocol.handshake_initiated and not protocol.handshake_complete:
            _hold(protocol, data)
        else:
            hear(protocol, data)

    def start_keepalive(protocol: Any) -> None:
        begin(protocol)
        if early := vars(protocol).pop("realtime_early", b""):
            hear(protocol, early)

    protocol_class.data_received = data_received
    protocol_class.start_keepalive = start_keepalive


def _hold(protocol: Any, data: bytes) -> None:
    protocol.realtime_early = getattr(protocol, "realtime_early", b"") + data
    if len(protocol.realtime_early) > MOST_EARLY:
        protocol.transport.abort()


def _mend_broken_frames(protocol_class: Any) -> None:
    """What the peer has still under way is read and dropped for a moment (RFC 6455, section 7.1.1).

    Closing at once would have the kernel reset the connection, and take the close code with it.
    """
    original = getattr(protocol_class, "handle_parser_exception", None)
    if original is None:
        return

    def handle_parser_exception(protocol: Any) -> None:
        if protocol.close_sent:
            return  # more of the same
        fault = protocol.conn.close_sent
        protocol.close_sent = True
        protocol.close_timer = protocol.loop.call_later(LAST_WORD, protocol.transport.close)
        event = {"type": "websocket.disconnect", "code": fault.code, "reason": fault.reason}
        protocol.queue.put_nowait(event)
        protocol.transport.write(b"".join(protocol.conn.data_to_send()))

    protocol_class.handle_parser_exception = handle_parser_exception


def _mend_missed_pings(protocol_class: Any) -> None:
    original = getattr(protocol_class, "keepalive_timeout", None)
    if original is None:
        return

    def keepalive_timeout(protocol: Any) -> None:
        original(protocol)
        protocol.loop.call_later(LAST_WORD, protocol.transport.abort)

    protocol_class.keepalive_timeout = keepalive_timeout


def _refuse(protocol: Any, fault: Exception) -> None:
    logger.warning("A WebSocket request was refused: %s", fault.__cause__ or fault)
    _send_and_close(protocol, BAD_REQUEST)


def _send_and_close(protocol: Any, otherwise: bytes = b"") -> None:
    """What the library has ready to go out, or `otherwise`, are the last bytes."""
    protocol.handshake_complete = protocol.close_sent = True  # uvicorn has nothing more to say
    protocol.transport.write(b"".join(protocol.conn.data_to_send()) or otherwise)
    protocol.transport.close()
