"""Frames as RFC 6455 has them, and batches that keep the order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame as Reference
from websockets.frames import Opcode

from realtime.frames import BATCH_SIZE, Batch, Frame

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_text_is_framed_as_the_websockets_library_frames_it(size: int) -> None:
    reference = Reference(Opcode.TEXT, b"a" * size).serialize(mask=False)
    assert Frame("a" * size).data == reference


@pytest.mark.parametrize("size", SIZES)
def test_bytes_are_framed_as_the_websockets_library_frames_them(size: int) -> None:
    reference = Reference(Opcode.BINARY, b"a" * size).serialize(mask=False)
    assert Frame(b"a" * size).data == reference


@given(st.text())
def test_any_text_is_framed_in_bytes_and_not_in_characters(text: str) -> None:
    frame = Frame(text)
    assert frame.data == Reference(Opcode.TEXT, text.encode()).serialize(mask=False)
    assert frame.size == len(frame.data)


def test_a_frame_has_no_compression_bit() -> None:
    assert not Frame("a").data[0] & 0x40


def test_text_that_is_no_unicode_is_refused_before_anybody_gets_it() -> None:
    with pytest.raises(UnicodeEncodeError):
        Frame("\ud800")


@pytest.mark.parametrize("payload", ["", "text", b"", b"bytes"])
def test_an_event_survives_being_a_frame(payload: str | bytes) -> None:
    event = Frame(payload).event()
    assert Frame.of(event).data == Frame(payload).data
    assert event["type"] == "websocket.send"


def test_text_comes_before_bytes_in_an_event_that_has_both() -> None:
    event = {"type": "websocket.send", "text": "", "bytes": b"b", "key": "k"}
    assert (Frame.of(event).payload, Frame.of(event).key) == ("", "k")
    assert Frame.of({"type": "websocket.send", "text": None, "bytes": b"b"}).payload == b"b"


def test_a_batch_is_its_frames_in_order() -> None:
    frames = [Frame("a"), Frame(b"b"), Frame("c" * 200)]
    batch = Batch(frames[0])
    assert batch.add(frames[1])
    assert batch.add(frames[2])
    assert batch.size == sum(frame.size for frame in frames)
    assert batch.count == 3
    assert batch.data == b"".join(frame.data for frame in frames)
    assert batch.events() == [frame.event() for frame in frames]


def test_a_batch_that_was_read_takes_no_more() -> None:
    batch = Batch(Frame("a"))
    data = batch.data
    assert not batch.add(Frame("b"))
    assert batch.data is data, "joined once for all members"


def test_a_batch_whose_events_were_read_takes_no_more() -> None:
    batch = Batch(Frame("a"))
    assert len(batch.events()) == 1
    assert not batch.add(Frame("b"))


def test_a_large_batch_takes_no_more() -> None:
    batch = Batch(Frame("a" * BATCH_SIZE))
    assert not batch.add(Frame("b"))
