"""A peer's fault is one line; a fault of ours keeps its traceback."""

from __future__ import annotations

import logging
import sys

import pytest

from realtime.logs import PeerFaults


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
