"""Tells systemd how the server is, as sd_notify(3) says: ready, alive, stopping, a line of status.

A few datagrams to the socket that systemd names in the environment; without one nothing happens.
Watchdog pings come from the serving loop, twice in the time that the unit allows (`WatchdogSec=`):
a loop that is stuck is noticed, and the server started anew. Sources: sd_notify(3),
sd_watchdog_enabled(3).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping

# How often it is looked whether the server accepts connections, in seconds; a server of ASGI says
# only when its application may start, which is just before.
LOOK = 0.02

# Where no watchdog asks for more: how often the line of status is renewed, in seconds.
STATUS = 30.0


class Notifier:
    """Lives in the serving loop. `status` gives the line for `systemctl status`."""

    def __init__(self, variables: Mapping[str, str], status: Callable[[], str]) -> None:
        self._address = _address(variables.get("NOTIFY_SOCKET", ""))
        self._every = _interval(variables) or STATUS
        self._is_watched = _interval(variables) is not None
        self._status = status
        self._timer: asyncio.TimerHandle | None = None

    def start(self, is_ready: Callable[[], bool]) -> None:
        """READY=1 as soon as `is_ready()`; watchdog pings from now on."""
        if self._address:
            self._beat()
            self._look(is_ready)

    def stopping(self) -> None:
        """The server has begun to stop; pings go on, for that may take seconds."""
        self._tell("STOPPING=1", "STATUS=Stopping")
        self._status = lambda: "Stopping"

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, is_ready: Callable[[], bool]) -> None:
        if is_ready():
            self._tell("READY=1", f"STATUS={self._status()}")
        else:
            asyncio.get_running_loop().call_later(LOOK, self._look, is_ready)

    def _beat(self) -> None:
        ping = ("WATCHDOG=1",) if self._is_watched else ()
        self._tell(*ping, f"STATUS={self._status()}")
        self._timer = asyncio.get_running_loop().call_later(self._every, self._beat)

    def _tell(self, *lines: str) -> None:
        """Never waits and never raises: whoever listens may have gone."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to,
        ):
            to.setblocking(False)
            to.sendto("\n".join(lines).encode(), self._address)


def _address(text: str) -> str | bytes:
    """An abstract socket is written with an @ for its first byte, which is 0."""
    if not hasattr(socket, "AF_UNIX"):
        return ""
    if text.startswith("@"):
        return b"\0" + os.fsencode(text[1:])
    return text if text.startswith("/") else ""


def _interval(variables: Mapping[str, str]) -> float | None:
    """Seconds between pings; None where no watchdog waits, or it waits for another process."""
    usec, pid = variables.get("WATCHDOG_USEC", ""), variables.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or int(usec) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(usec) / 1_000_000 / 2
