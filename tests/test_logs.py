"""A peer's fault is one line; a fault of ours keeps its traceback."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable

import pytest

from realtime.logs import QUIET, PeerFaults
from tests.processes import Process


def record(message: str) -> logging.LogRecord:
    try:
        b"\xff".decode()
    except UnicodeDecodeError:
        fault = sys.exc_info()
    return logging.LogRecord("uvicorn.error", logging.ERROR, __file__, 1, message, (), fault)


def test_a_frame_that_is_not_utf8_is_one_line() -> None:
    line = record("Invalid UTF-8 sequence received from client.")
    assert PeerFaults().filter(line)
    assert (line.exc_info, line.levelname, line.levelno) == (None, "WARNING", logging.WARNING)
    assert "Traceback" not in logging.Formatter().format(line)


def test_the_same_error_in_a_handler_of_ours_keeps_its_traceback() -> None:
    line = record("Exception in ASGI application\n")
    assert PeerFaults().filter(line)
    assert line.levelname == "ERROR"
    assert "UnicodeDecodeError" in logging.Formatter().format(line)


@pytest.mark.parametrize("name", ["uvicorn.error"])
def test_the_settings_put_it_on_uvicorns_log(name: str) -> None:
    kinds = [type(each) for each in logging.getLogger(name).filters]
    assert PeerFaults in kinds


def test_a_message_that_is_no_text_passes() -> None:
    line = record("x")
    line.msg = ValueError("x")
    assert PeerFaults().filter(line)


def test_garbage_is_one_line_a_minute_that_counts_the_others() -> None:
    times = [0.0, 1.0, QUIET - 1, QUIET, QUIET + 1, QUIET * 3]
    faults = PeerFaults(clock=iter(times).__next__)
    lines = [record("Invalid HTTP request received.") for _ in times]
    said = [line.getMessage() for line in lines if faults.filter(line)]
    assert said == [
        "Invalid HTTP request received.",
        "Invalid HTTP request received. (2 more since the last such line.)",
        "Invalid HTTP request received. (1 more since the last such line.)",
    ]


def test_a_flood_of_garbage_is_one_line_on_a_real_server(start: Callable[..., Process]) -> None:
    server = start("-m", "uvicorn", "app:application", "--port", "{port}")
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as peer:
            peer.sendall(b"garbage\r\n\r\n")
            assert peer.recv(100).startswith(b"HTTP/1.1 400")
    assert server.stop() == 0
    assert server.said().count("Invalid HTTP request received.") == 1
