"""One socket's way out: order, bounds, time limits and ends, the same by both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from realtime.connection import (
    Disconnected,
    Overflow,
    State,
)
from realtime.frames import Batch, Frame
from realtime.uvicorn_connection import UvicornConnection
from tests.peers import FILLER, AsgiPeer, Peer, UvicornPeer, turn, until

MakePeer = Callable[..., Awaitable[Peer]]


@pytest.fixture(params=[UvicornPeer, AsgiPeer], ids=["uvicorn", "asgi"])
async def make_peer(request: pytest.FixtureRequest) -> AsyncIterator[MakePeer]:
    peers: list[Peer] = []

    async def make(overflow: Overflow = Overflow.CLOSE, *, accepted: bool = True) -> Peer:
        peer: Peer = request.param()
        peers.append(peer)
        await peer.start(overflow)
        if accepted:
            await peer.accept()
        return peer

    yield make
    for peer in peers:
        await peer.stop()


@pytest.fixture
async def peer(make_peer: MakePeer) -> Peer:
    return await make_peer()


def write(peer: Peer, *payloads: str | bytes, key: str | None = None) -> None:
    for payload in payloads:
        peer.connection.write(Frame(payload, key=key))


def test_the_fast_way_is_taken_for_uvicorn(peer: Peer) -> None:
    assert isinstance(peer.connection, UvicornConnection) is isinstance(peer, UvicornPeer)


# Order.


async def test_every_kind_of_send_keeps_its_place(peer: Peer) -> None:
    connection = peer.connection
    batch = Batch(Frame("group 1"))
    connection.write(batch)
    assert batch.add(Frame("group 2"))
    write(peer, "keyed", key="k")
    await connection.send({"type": "websocket.send", "text": "event"})
    await connection.send({"type": "websocket.send", "text": None, "bytes": b"event"})
    await connection.send_frame(Frame("own"))
    write(peer, b"")
    await connection.close(1000)
    assert peer.heard == ["group 1", "group 2", "keyed", "event", b"event", "own", b"", 1000]


async def test_a_batch_grows_until_something_stands_behind_it(peer: Peer) -> None:
    batch = Batch(Frame("a"))
    peer.connection.write(batch)
    assert batch.add(Frame("b"))
    write(peer, "c")
    assert not batch.add(Frame("d"))
    await turn()
    assert peer.heard == ["a", "b", "c"]


async def test_what_was_blocked_comes_in_order(peer: Peer) -> None:
    await peer.block()
    texts = [f"{number} {'x' * 5_000}" for number in range(100)]
    write(peer, *texts)
    assert peer.connection.waiting > 500_000
    await peer.read()
    assert peer.heard == [FILLER, *texts]
    assert peer.connection.waiting == 0
    assert peer.connection.state is State.OPEN


async def test_a_peer_may_stop_again_while_it_is_served(make_peer: MakePeer) -> None:
    peer = await make_peer()
    texts = []
    for number in range(3):
        await peer.block()
        text = f"{number} {'x' * 200_000}"
        write(peer, text)
        texts += [FILLER, text]
        await turn()
        assert peer.connection.state is State.BLOCKED
        await peer.read()
    assert peer.heard == texts


async def test_what_one_tick_writes_goes_out_in_one_write() -> None:
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    before = peer.transport.writes
    write(peer, "a", "b", "c")
    await peer.connection.send_frame(Frame("d"))
    assert peer.transport.writes == before
    await turn()
    assert peer.transport.writes == before + 1
    assert peer.heard == ["a", "b", "c", "d"]
    await peer.stop()


async def test_a_tick_with_much_in_it_goes_out_in_pieces() -> None:
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    before = peer.transport.writes
    write(peer, *["x" * 1_000] * 300)
    await turn()
    assert 4 <= peer.transport.writes - before <= 6
    assert len(peer.heard) == 300
    await peer.stop()


async def test_frames_before_the_accept_wait_for_it(make_peer: MakePeer) -> None:
    peer = await make_peer(accepted=False)
    write(peer, "a")
    await peer.connection.send_frame(Frame("b"))
    await turn()
    assert peer.heard == []
    await peer.accept()
    await turn()
    assert peer.heard == ["a", "b"]


async def test_who_goes_before_the_accept_is_disconnected_and_no_error() -> None:
    peer = AsgiPeer()
    await peer.start(Overflow.CLOSE)
    peer.has_left = True  # the server knows, and has not told us yet
    with pytest.raises(Disconnected):
        await peer.accept()
    await peer.stop()


# The end.


async def test_nothing_goes_out_after_a_close(peer: Peer) -> None:
    write(peer, "before")
    await peer.connection.close(4001, "enough")
    write(peer, "after")
    with pytest.raises(Disconnected):
        await peer.connection.send_frame(Frame("after"))
    with pytest.raises(Disconnected):
        await peer.connection.send({"type": "websocket.accept"})
    await peer.connection.close(4002)
    await turn()
    assert peer.heard == ["before", 4001]
    assert peer.connection.waiting == 0


async def test_the_owner_hears_of_a_close_once(peer: Peer) -> None:
    await peer.connection.close(4001)
    await turn()
    assert peer.lost == [4001]
    assert peer.is_ended


async def test_a_close_waits_for_what_is_queued(peer: Peer) -> None:
    await peer.block()
    write(peer, "a")
    closing = asyncio.create_task(peer.connection.close(1000))
    await turn()
    assert not closing.done()
    await peer.read()
    await closing
    assert peer.heard == [FILLER, "a", 1000]


async def test_a_batch_does_not_grow_behind_a_close(peer: Peer) -> None:
    await peer.block()
    batch = Batch(Frame("a"))
    peer.connection.write(batch)
    closing = asyncio.create_task(peer.connection.close(1000))
    await asyncio.sleep(0)
    batch.add(Frame("b"))
    write(peer, "c")
    with pytest.raises(Disconnected):
        await peer.connection.send_frame(Frame("d"))
    await peer.read()
    await closing
    assert peer.heard == [FILLER, "a", 1000]


async def test_a_close_before_the_accept_refuses(make_peer: MakePeer) -> None:
    peer = await make_peer(accepted=False)
    write(peer, "a")
    await peer.connection.close()
    await turn()
    assert peer.heard in ([], [1000])  # uvicorn makes a 403 of it
    assert peer.is_ended


async def test_a_reason_is_cut_to_what_a_close_frame_holds(peer: Peer) -> None:
    await peer.connection.close(4001, "é" * 200)
    await turn()
    assert peer.heard == [4001]


@pytest.mark.parametrize("end", ["leave", "vanish"])
async def test_the_owner_hears_at_once_that_the_peer_has_gone(peer: Peer, end: str) -> None:
    getattr(peer, end)()
    await turn()
    assert len(peer.lost) == 1
    assert peer.connection.state is State.CLOSED
    assert peer.events()[0]["type"] == "websocket.connect"
    assert peer.events()[1]["type"] == "websocket.disconnect"
    with pytest.raises(Disconnected):
        await peer.connection.send_frame(Frame("a"))
    await peer.connection.close()
    assert peer.heard in ([], [1001])  # uvicorn answers a close frame


async def test_what_came_before_the_end_stands_before_it_in_the_inbox(peer: Peer) -> None:
    peer.say("one")
    peer.say("two")
    peer.leave()
    await turn()
    kinds = [event.get("text", event["type"]) for event in peer.events()]
    assert kinds[1:4] == ["one", "two", "websocket.disconnect"]


async def test_a_send_that_waits_ends_when_the_peer_goes(peer: Peer) -> None:
    await peer.block()
    sending = asyncio.create_task(peer.connection.send_frame(Frame("a")))
    closing = asyncio.create_task(peer.connection.close())
    await turn()
    assert not sending.done()
    peer.vanish()
    await turn()
    with pytest.raises(Disconnected):
        await sending
    await closing
    assert FILLER not in peer.heard


async def test_a_waiting_send_that_is_cancelled_wakes_no_other(peer: Peer) -> None:
    await peer.block()
    first = asyncio.create_task(peer.connection.send_frame(Frame("a")))
    second = asyncio.create_task(peer.connection.send_frame(Frame("b")))
    await turn()
    first.cancel()
    await turn()
    assert first.cancelled()
    assert not second.done()
    await peer.read()
    await second
    assert peer.heard == [FILLER, "a", "b"]


async def test_an_owner_that_fails_does_not_harm_the_server(
    peer: Peer, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(code: int, reason: str) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(peer, "connection_lost", fail)
    peer.vanish()
    await turn()
    assert [line for line in logged if "connection_lost() of" in line]
    if isinstance(peer, UvicornPeer):
        assert not peer.protocol.connections


async def test_a_released_connection_forgets_its_owner(peer: Peer) -> None:
    peer.connection.release()
    peer.vanish()
    await turn()
    assert peer.lost == []


# Slow readers.


async def test_a_send_waits_while_the_peer_does_not_read(peer: Peer) -> None:
    await peer.block()
    sending = asyncio.create_task(peer.connection.send_frame(Frame("a")))
    await turn()
    assert not sending.done()
    await peer.read()
    await sending
    assert peer.heard == [FILLER, "a"]


async def test_too_many_bytes_close_a_slow_reader_with_4508(
    peer: Peer, settings: Any, logged: list[str]
) -> None:
    settings.REALTIME_OUTBOX_BYTES = 100_000
    await peer.block()
    write(peer, "x" * 60_000)
    assert peer.lost == []
    write(peer, "x" * 60_000)
    assert peer.lost == [4508], "gone at once"
    assert peer.connection.waiting == 0
    write(peer, "late")
    await turn()
    await peer.read()
    assert peer.heard == [FILLER, 4508]
    assert peer.is_ended
    assert len([line for line in logged if "4508" in line]) == 1


async def test_too_many_messages_close_a_slow_reader_with_4508(peer: Peer, settings: Any) -> None:
    settings.REALTIME_OUTBOX_MESSAGES = 10
    await peer.block()
    write(peer, *["x"] * 11)
    assert peer.lost == [4508]


async def test_before_the_accept_the_outbox_is_bounded_too(
    make_peer: MakePeer, settings: Any
) -> None:
    settings.REALTIME_OUTBOX_MESSAGES = 10
    peer = await make_peer(accepted=False)
    write(peer, *["x"] * 11)
    assert peer.lost == [4508]
    with pytest.raises(Disconnected):
        await peer.accept()
    await turn()
    assert peer.is_ended


async def test_drop_oldest_keeps_the_newest_and_counts(make_peer: MakePeer, settings: Any) -> None:
    settings.REALTIME_OUTBOX_MESSAGES = 10
    peer = await make_peer(Overflow.DROP_OLDEST)
    await peer.block()
    write(peer, *[str(number) for number in range(100)])
    assert peer.lost == []
    await peer.read()
    assert peer.heard == [FILLER, *map(str, range(100 - len(peer.heard) + 1, 100))]
    assert 7 <= len(peer.heard) - 1 <= 10
    assert peer.connection.dropped == 100 - (len(peer.heard) - 1)


async def test_a_dropped_batch_counts_as_its_frames(make_peer: MakePeer, settings: Any) -> None:
    settings.REALTIME_OUTBOX_BYTES = 100_000
    peer = await make_peer(Overflow.DROP_OLDEST)
    await peer.block()
    batch = Batch(Frame("a"))
    batch.add(Frame("b"))
    peer.connection.write(batch)
    write(peer, "x" * 99_999)
    assert peer.connection.dropped == 2


async def test_conflate_keeps_the_newest_of_each_key(make_peer: MakePeer) -> None:
    peer = await make_peer(Overflow.CONFLATE)
    await peer.block()
    for number in range(50):
        write(peer, f"x{number}", key="x")
        write(peer, f"y{number}", key="y")
        if number % 25 == 0:
            write(peer, f"chat {number}")
    await peer.read()
    assert peer.heard == [FILLER, "chat 0", "chat 25", "x49", "y49"]
    assert peer.connection.dropped == 98


async def test_conflate_drops_nothing_while_the_peer_reads(make_peer: MakePeer) -> None:
    peer = await make_peer(Overflow.CONFLATE)
    for number in range(5):
        write(peer, str(number), key="x")
        await turn()
    assert peer.heard == ["0", "1", "2", "3", "4"]


async def test_conflate_closes_when_other_frames_are_too_many(
    make_peer: MakePeer, settings: Any
) -> None:
    settings.REALTIME_OUTBOX_MESSAGES = 10
    peer = await make_peer(Overflow.CONFLATE)
    await peer.block()
    write(peer, *["x"] * 11)
    assert peer.lost == [4508]


async def test_a_peer_that_takes_nothing_in_time_is_gone(peer: Peer, settings: Any) -> None:
    settings.REALTIME_SEND_TIMEOUT = 0.02
    await peer.block()
    sending = asyncio.create_task(peer.connection.send_frame(Frame("a")))
    with pytest.raises(Disconnected):
        await sending
    await turn()
    assert peer.lost == [4508]
    assert peer.is_ended
    assert peer.events()[-1]["code"] in (4508, 1005)


async def test_one_large_frame_and_then_silence_starts_the_clock_too(
    peer: Peer, settings: Any
) -> None:
    settings.REALTIME_SEND_TIMEOUT = 0.02
    await peer.block()  # nothing is written after that
    await until(lambda: peer.is_ended)
    assert peer.lost == [4508]


async def test_a_peer_that_reads_in_time_is_kept(peer: Peer, settings: Any) -> None:
    settings.REALTIME_SEND_TIMEOUT = 30.0
    for _ in range(3):
        await peer.block()
        await peer.read()
    assert peer.lost == []
    assert getattr(peer.connection, "_timer", None) is None


async def test_a_connection_is_given_up_once(peer: Peer, logged: list[str]) -> None:
    peer.connection.give_up("slow")
    peer.connection.give_up("slow again")
    await turn()
    assert peer.lost == [4508]
    assert peer.heard == [4508]
    assert len(logged) == 1


async def test_what_waits_is_not_pushed_past_the_transports_mark() -> None:
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    await peer.block()
    write(peer, *["x" * 5_000] * 100)
    peer.transport.drain()  # it reads once, and no more
    assert len(peer.transport.buffer) < 2 * 65_536 + 5_004
    assert peer.connection.state is State.BLOCKED
    await peer.read()
    assert len(peer.heard) == 101
    await peer.stop()


async def test_a_handler_that_is_cancelled_while_it_sends_leaves_the_rest_to_go_out() -> None:
    peer = AsgiPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    peer.reads = False
    handler = asyncio.create_task(peer.connection.send_frame(Frame("cancelled")))
    await turn()
    write(peer, "from a group")
    await turn()
    handler.cancel()
    await asyncio.wait([handler])
    await peer.read()
    assert peer.heard == ["from a group"]
    await peer.stop()


async def test_a_peer_that_does_not_finish_the_closing_is_cut_off(
    settings: Any,
) -> None:
    settings.REALTIME_SEND_TIMEOUT = 0.02
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    peer.reads = False
    await peer.connection.close(1000)
    assert not peer.is_ended
    await until(lambda: peer.is_ended)
    await peer.stop()


async def test_a_slow_peer_that_was_told_why_is_cut_off_in_time(
    settings: Any,
) -> None:
    settings.REALTIME_SEND_TIMEOUT = 0.02
    settings.REALTIME_OUTBOX_MESSAGES = 1
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    await peer.block()
    write(peer, "a", "b")
    await turn()
    assert not peer.is_ended
    await until(lambda: peer.is_ended)
    assert peer.lost == [4508]
    await peer.stop()


async def test_a_peer_that_answers_no_ping_is_gone_with_the_next_frame() -> None:
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    peer.reads = False
    write(peer, "a")
    await turn()
    peer.protocol.keepalive_timeout()
    assert not peer.is_ended, "uvicorn waits for the peer to take what it has"
    write(peer, "b")
    await turn()
    assert peer.is_ended
    assert peer.lost == [1006]
    await peer.stop()


async def test_a_stopped_peer_that_comes_back_after_its_ping_gets_no_frame_behind_the_close() -> (
    None
):
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    await peer.block()
    write(peer, "late")
    peer.protocol.keepalive_timeout()
    await peer.read()
    assert peer.heard == [FILLER, 1011]
    assert peer.is_ended
    await peer.stop()


async def test_closing_after_a_missed_ping_is_no_error() -> None:
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    peer.reads = False
    write(peer, "a")
    await turn()
    peer.protocol.keepalive_timeout()
    await peer.connection.close(1000)
    assert peer.lost == [1000] or peer.lost == [1006]
    await peer.stop()


async def test_a_server_that_stops_still_sends_what_was_written_before() -> None:
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    write(peer, "last words")
    peer.protocol.shutdown()
    await turn()
    assert peer.heard == ["last words", 1012]
    assert peer.lost == [1012]
    await peer.stop()


# Reading.


async def test_reading_stops_while_a_handler_is_behind_and_goes_on_after() -> None:
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    for number in range(70):
        peer.say(str(number))
    assert not peer.transport.reading
    while len(peer.inbox):
        await peer.inbox.get()
    assert peer.transport.reading
    await peer.stop()


async def test_the_plain_way_reads_no_further_than_a_handler_can_follow() -> None:
    peer = AsgiPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    for number in range(200):
        peer.say(str(number))
    await turn()
    while len(peer.inbox) < 64:
        await turn()
    await turn()
    assert len(peer.inbox) == 64
    heard: list[str] = []
    while len(heard) < 200:
        event = await peer.inbox.get()
        heard += [event["text"]] if "text" in event else []
    assert heard == [str(number) for number in range(200)]
    await peer.stop()


async def test_an_end_with_a_full_inbox_is_noticed(peer: Peer) -> None:
    for number in range(62):
        peer.say(str(number))
    peer.vanish()
    await until(lambda: bool(peer.lost))
    assert peer.events()[-1]["type"] == "websocket.disconnect"


async def test_a_receive_that_fails_ends_the_connection(logged: list[str]) -> None:
    peer = AsgiPeer()
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    peer._events.put_nowait(None)  # "websocket.receive" it is not: the reader itself survives
    await peer.stop()

    async def fail() -> Any:
        raise ValueError("a middleware's bug")

    class Broken(AsgiPeer):
        async def start(self, overflow: Overflow) -> None:
            self._readable = asyncio.Event()
            self.has_left = False
            from realtime.transports import connect

            self.connection = connect(fail, self._send, self.inbox, self, overflow)
            await turn()

    broken = Broken()
    await broken.start(Overflow.CLOSE)
    assert broken.lost == [1006]
    assert broken.is_ended
    assert "Reading from a socket failed" in logged
    await broken.stop()


async def test_no_task_is_left_behind(make_peer: MakePeer) -> None:
    before = asyncio.all_tasks()
    peer = await make_peer()
    write(peer, "a")
    await turn()
    await peer.connection.close()
    await peer.stop()
    await turn()
    assert asyncio.all_tasks() == before


@pytest.fixture(autouse=True)
def _no_stray_errors(caplog: pytest.LogCaptureFixture) -> Any:
    """asyncio's own complaints (a task destroyed, an exception never retrieved) fail a test."""
    yield
    assert not [
        r for r in caplog.get_records("call") if r.name == "asyncio" and r.levelno > logging.WARNING
    ]
