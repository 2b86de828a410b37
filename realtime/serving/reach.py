"""Who can reach a server that uvicorn's own command has started, and how to let more in."""

from __future__ import annotations

import logging
import multiprocessing
from typing import Any

LOOPBACK = ("127.0.0.1", "::1", "localhost")

# uvicorn --reload starts a process for each change of a file: they are numbered.
FIRST = ("MainProcess", "SpawnProcess-1")

logger = logging.getLogger("realtime")


def tell(server: Any) -> None:
    """Once, and only beside uvicorn's own "running on": who silences that wants no hint."""
    is_told = logging.getLogger("uvicorn.error").isEnabledFor(logging.INFO)
    if is_told and multiprocessing.current_process().name in FIRST and (words := hint(server)):
        logger.info(words)


def hint(server: Any) -> str | None:
    """How to open uvicorn's `server` to the network; None if it is, or is no such server."""
    config = getattr(server, "config", None)
    if config is None or config.host not in LOOPBACK or config.uds or config.fd is not None:
        return None
    if not isinstance(config.app, str):  # a program of its own, which knows what it does
        return None
    command = f"uvicorn {config.app} --host 0.0.0.0 --port {config.port}"
    if config.app == "app:application":
        port = "" if config.port == 8000 else f" --port {config.port}"
        command = f"python app.py{port}, or {command}"
    return f"Only this machine gets in. For phones and others: {command}"
