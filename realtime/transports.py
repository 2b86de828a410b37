"""The two ways to a socket, and the one that is taken. Both mean the same, one is faster."""

from __future__ import annotations

from realtime.asgi_connection import AsgiConnection
from realtime.connection import Connection, Overflow, Owner, Receive, Send
from realtime.mailbox import Mailbox
from realtime.uvicorn_connection import UvicornConnection, uvicorn_protocol

__all__ = ["connect"]


def connect(
    receive: Receive, send: Send, inbox: Mailbox, owner: Owner, overflow: Overflow = Overflow.CLOSE
) -> Connection:
    """The fast way where it is exactly known to be right, else the plain one.

    Events go to `inbox`; `owner` hears of the end.
    """
    protocol = uvicorn_protocol(receive, send)
    if protocol is not None:
        return UvicornConnection(protocol, send, inbox, owner, overflow)
    return AsgiConnection(receive, send, inbox, owner, overflow)
