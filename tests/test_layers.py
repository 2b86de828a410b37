"""The channel layer: what Channels promises, and what it does not."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.exceptions import ChannelFull
from channels.layers import InMemoryChannelLayer as StockLayer
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import home, layers, queues, subscriber
from realtime.connection import Overflow
from realtime.frames import Frame
from realtime.layers import InMemoryChannelLayer
from realtime.mailbox import Mailbox, Message
from tests.peers import FILLER, AsgiPeer, Peer, UvicornPeer, turn, until
from tests.processes import ROOT, variables


@pytest.fixture
def layer() -> InMemoryChannelLayer:
    return InMemoryChannelLayer(expiry=60, capacity=3)


class Member:
    """A subscriber that takes messages."""

    def __init__(self, layer: InMemoryChannelLayer, channel: str) -> None:
        self.channel = channel
        self.mailbox = Mailbox()
        self.overflows = 0
        layer.subscribe(channel, self.mailbox, connection=None, overflow=self._overflow)

    def _overflow(self) -> None:
        self.overflows += 1

    @property
    def got(self) -> list[Message]:
        return list(self.mailbox._messages)


def text(*words: str) -> Message:
    return {"type": "websocket.send", "text": " ".join(words)}


# What Channels' layers promise.


async def test_a_message_is_received_as_it_was_sent(layer: InMemoryChannelLayer) -> None:
    message = {"type": "test.message", "text": "Ahoy-hoy!", "list": [1, {"a": None}]}
    await layer.send("channel", message)
    assert await layer.receive("channel") == message
    assert layer.channels == {}


async def test_a_receiver_may_be_there_first(layer: InMemoryChannelLayer) -> None:
    receiver = asyncio.create_task(layer.receive("channel"))
    await asyncio.sleep(0)
    await layer.send("channel", {"type": "late"})
    assert await receiver == {"type": "late"}
    assert layer.channels == {}


async def test_messages_keep_their_order(layer: InMemoryChannelLayer) -> None:
    for number in range(3):
        await layer.send("channel", {"type": str(number)})
    assert [(await layer.receive("channel"))["type"] for _ in range(3)] == ["0", "1", "2"]


async def test_a_full_channel_says_so(layer: InMemoryChannelLayer) -> None:
    for _ in range(3):
        await layer.send("channel", {"type": "test"})
    with pytest.raises(ChannelFull):
        await layer.send("channel", {"type": "test"})
    await layer.receive("channel")
    await layer.send("channel", {"type": "test"})


async def test_what_is_received_is_nobody_elses(layer: InMemoryChannelLayer) -> None:
    message = {"type": "test", "list": [1]}
    await layer.send("channel", message)
    message["list"].append(2)  # type: ignore[attr-defined]
    assert (await layer.receive("channel"))["list"] == [1]


async def test_each_message_goes_to_one_of_several_receivers(layer: InMemoryChannelLayer) -> None:
    receivers = [asyncio.create_task(layer.receive("channel")) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        await layer.send("channel", {"type": str(number)})
        await turn()  # the first two leave the third its queue
    assert {message["type"] for message in await asyncio.gather(*receivers)} == {"0", "1", "2"}


async def test_a_receiver_that_is_cancelled_takes_no_message(layer: InMemoryChannelLayer) -> None:
    receiver = asyncio.create_task(layer.receive("channel"))
    await asyncio.sleep(0)
    await layer.send("channel", {"type": "kept"})
    receiver.cancel()
    await asyncio.wait([receiver])
    assert await layer.receive("channel") == {"type": "kept"}


async def test_a_receiver_that_gives_up_leaves_nothing(layer: InMemoryChannelLayer) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await layer.receive("channel")
    assert layer.channels == {}


async def test_new_channels_are_different_and_legal(layer: InMemoryChannelLayer) -> None:
    names = {await layer.new_channel() for _ in range(100)}
    assert len(names) == 100
    assert all(layer.require_valid_channel_name(name) for name in names)
    assert (await layer.new_channel("mine")).startswith("mine")


async def test_a_group_reaches_all_its_members_and_nobody_else(
    layer: InMemoryChannelLayer,
) -> None:
    for channel in ("a", "b", "c"):
        await layer.group_add("group", channel)
    await layer.group_discard("group", "b")
    await layer.group_discard("group", "never-was-in")
    await layer.group_send("group", {"type": "hi"})
    await layer.group_send("nobody", {"type": "hi"})
    assert await layer.receive("a") == {"type": "hi"}
    assert await layer.receive("c") == {"type": "hi"}
    assert layer.channels == {}


async def test_a_full_member_keeps_no_other_from_the_message(
    layer: InMemoryChannelLayer, logged: list[str]
) -> None:
    await layer.group_add("group", "full")
    await layer.group_add("group", "free")
    for _ in range(3):
        await layer.send("full", {"type": "old"})
    await layer.group_send("group", {"type": "new"})
    assert await layer.receive("free") == {"type": "new"}
    assert [await layer.receive("full") for _ in range(3)] == [{"type": "old"}] * 3
    assert logged == ["Channel full is full: a message to its group was not delivered"]


async def test_a_member_is_in_a_group_once(layer: InMemoryChannelLayer) -> None:
    await layer.group_add("group", "a")
    await layer.group_add("group", "a")
    await layer.group_send("group", {"type": "hi"})
    assert layer.channels["a"].qsize() == 1


async def test_an_empty_group_is_forgotten(layer: InMemoryChannelLayer) -> None:
    await layer.group_add("group", "a")
    await layer.group_discard("group", "a")
    assert layer.groups == {}


async def test_members_may_come_and_go_while_a_group_is_sent_to(
    layer: InMemoryChannelLayer,
) -> None:
    async def come_and_go(number: int) -> None:
        for _ in range(50):
            await layer.group_add("group", f"c{number}")
            await asyncio.sleep(0)
            await layer.group_discard("group", f"c{number}")

    async def send() -> None:
        for _ in range(200):
            await layer.group_send("group", {"type": "hi"})
            await asyncio.sleep(0)

    await asyncio.gather(send(), *map(come_and_go, range(10)))
    assert layer.groups == {}


async def test_flush_forgets_all(layer: InMemoryChannelLayer) -> None:
    member = Member(layer, "m!1")
    await layer.send("channel", {"type": "test"})
    await layer.group_add("group", "channel")
    await layer.group_add("group", "m!1")
    layer.broadcast("group", text("before"))
    await layer.flush()
    layer.broadcast("group", text("after"))
    assert (layer.channels, layer.groups) == ({}, {})
    assert [message["text"] for message in member.got] == ["before"]
    await layer.group_add("group", "m!1")
    layer.broadcast("group", text("again"))
    assert [message["text"] for message in member.got] == ["before", "again"]
    await layer.close()


@pytest.mark.parametrize("name", ["", "a b", "a" * 100, "ä", "a!b!c", 5, None])
async def test_an_illegal_name_is_refused(layer: InMemoryChannelLayer, name: Any) -> None:
    for call in (
        layer.send(name, {"type": "test"}),
        layer.receive(name),
        layer.group_add("group", name),
        layer.group_add(name, "channel"),
        layer.group_discard("group", name),
        layer.group_discard(name, "channel"),
        layer.group_send(name, {"type": "test"}),
    ):
        with pytest.raises(TypeError):
            await call


async def test_what_is_no_message_is_refused(layer: InMemoryChannelLayer) -> None:
    for call in (
        layer.send("channel", "text"),  # type: ignore[arg-type]
        layer.group_send("group", ["list"]),  # type: ignore[arg-type]
        layer.send("channel", {"type": "a", "__asgi_channel__": "b"}),
    ):
        with pytest.raises(AssertionError):
            await call


def test_the_options_are_those_of_channels() -> None:
    options = {"expiry": 5, "group_expiry": 9, "capacity": 7, "channel_capacity": {"http.*": 2}}
    ours, stock = InMemoryChannelLayer(**options), StockLayer(**options)  # type: ignore[arg-type]
    for name in ("expiry", "group_expiry", "capacity"):
        assert getattr(ours, name) == getattr(stock, name)
    assert ours.extensions == stock.extensions
    public = {name for name in dir(stock) if not name.startswith("_")}
    assert public <= set(dir(ours))


async def test_capacities_are_given_by_pattern() -> None:
    patterns = {"http.request": 5, "web*": 7, re.compile(r"^chat!.+"): 9}
    layer = InMemoryChannelLayer(capacity=3, channel_capacity=patterns)
    assert layer.get_capacity("http.request") == 5
    assert layer.get_capacity("websocket.send!abc") == 7
    assert layer.get_capacity("chat!abc") == 9
    assert layer.get_capacity("other") == 3
    for _ in range(7):
        await layer.send("web1", {"type": "test"})
    with pytest.raises(ChannelFull):
        await layer.send("web1", {"type": "test"})


# What lapses, and what does not.


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(queues, "monotonic", clock)
    return clock


async def test_a_message_that_nobody_reads_lapses_and_its_reader_leaves_its_groups(
    layer: InMemoryChannelLayer, clock: Clock
) -> None:
    await layer.group_add("group", "channel")
    await layer.send("channel", {"type": "old"})
    clock.now += 30
    await layer.send("channel", {"type": "new"})
    clock.now += 31
    assert await layer.receive("channel") == {"type": "new"}
    assert layer.groups == {}


async def test_a_message_that_is_read_in_time_costs_no_membership(
    layer: InMemoryChannelLayer, clock: Clock
) -> None:
    await layer.group_add("group", "channel")
    for _ in range(10):
        await layer.group_send("group", {"type": "hi"})
        clock.now += 59
        await layer.receive("channel")
    assert "channel" in layer.groups["group"]


async def test_what_lapses_goes_by_itself() -> None:
    layer = InMemoryChannelLayer(expiry=0.02)
    receiver = asyncio.create_task(layer.receive("binds"))
    await asyncio.sleep(0)
    await layer.group_add("group", "orphan")
    await layer.group_send("group", {"type": "one"})
    await layer.group_send("group", {"type": "two"})
    await until(lambda: "orphan" not in layer.channels)
    assert layer.groups == {}
    receiver.cancel()
    await asyncio.wait([receiver])


async def test_a_busy_channel_has_one_timer(
    layer: InMemoryChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []
    call_later = loop.call_later

    def counted(*arguments: Any, **options: Any) -> asyncio.TimerHandle:
        timers.append(call_later(*arguments, **options))
        return timers[-1]

    await layer.send("channel", {"type": "first"})
    await layer.receive("channel")
    monkeypatch.setattr(loop, "call_later", counted)
    for _ in range(100):
        await layer.send("channel", {"type": "test"})
        await layer.send("channel", {"type": "test"})
        await layer.receive("channel")
        await layer.receive("channel")
    assert len([timer for timer in timers if not timer.cancelled()]) <= 1


DAY = 86_400.0


@pytest.mark.parametrize("step", [3 * DAY, -3 * DAY, 3650 * DAY, 61.0])
async def test_a_step_of_the_wall_clock_drops_nobody(
    layer: InMemoryChannelLayer, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    member = Member(layer, "m!1")
    await layer.group_add("group", "m!1")
    await layer.group_add("group", "queue")
    await layer.send("queue", {"type": "before"})
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step)
    await layer.group_send("group", {"type": "after"})
    assert [await layer.receive("queue") for _ in range(2)] == [
        {"type": "before"},
        {"type": "after"},
    ]
    assert member.got == [{"type": "after"}]
    assert set(layer.groups["group"]) == {"m!1", "queue"}


def test_no_module_of_the_core_reads_the_wall_clock() -> None:
    for name in (
        "connection",
        "consumer",
        "frames",
        "layers",
        "mailbox",
        "queues",
        "transports",
        "asgi_connection",
        "uvicorn_connection",
    ):
        source = (ROOT / "realtime" / f"{name}.py").read_text()
        assert not re.search(r"\btime\.time\b|import time\b|datetime|timezone\.now", source), name


# Subscribers.


async def test_a_subscriber_gets_messages_in_its_mailbox(layer: InMemoryChannelLayer) -> None:
    member = Member(layer, "m!1")
    await layer.group_add("group", "m!1")
    await layer.group_send("group", {"type": "to.all"})
    await layer.send("m!1", {"type": "to.one"})
    await layer.group_send("group", text("frame"))
    assert [message["type"] for message in member.got] == ["to.all", "to.one", "websocket.send"]
    assert layer.channels == {}


async def test_one_handlers_change_is_not_seen_by_another(layer: InMemoryChannelLayer) -> None:
    members = [Member(layer, f"m!{number}") for number in range(3)]
    for member in members:
        await layer.group_add("group", member.channel)
    flat = {"type": "flat", "text": "a"}
    deep = {"type": "deep", "list": [1], "map": {"a": []}}
    for message in (flat, deep, text("frame")):
        await layer.group_send("group", message)
    members[0].got[0]["text"] = "changed"
    members[0].got[1]["map"]["a"].append(2)
    members[0].got[2]["text"] = "changed"
    assert members[1].got == [flat, deep, text("frame")]
    assert (flat["text"], deep["list"]) == ("a", [1])


async def test_a_reader_that_stays_behind_overflows_and_stops_no_other(
    layer: InMemoryChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "GRACE", 0.01)
    slow, quick = Member(layer, "m!slow"), Member(layer, "m!quick")
    await layer.group_add("group", "m!slow")
    await layer.group_add("group", "m!quick")
    for number in range(4):
        await layer.group_send("group", {"type": f"{number}"})
        await quick.mailbox.get()
    assert slow.overflows == 0
    await until(lambda: slow.overflows == 1)
    assert quick.overflows == 0


async def test_a_burst_that_is_read_in_time_is_no_overflow(
    layer: InMemoryChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriber, "GRACE", 0.01)
    member = Member(layer, "m!1")
    for _ in range(30):
        await layer.send("m!1", {"type": "burst"})
    for _ in range(27):
        await member.mailbox.get()
    await until(lambda: layer._subscribers["m!1"].timer is None)
    assert member.overflows == 0


async def test_a_burst_without_end_overflows_at_once(layer: InMemoryChannelLayer) -> None:
    member = Member(layer, "m!1")
    for _ in range(31):
        await layer.send("m!1", {"type": "burst"})
    assert member.overflows == 1
    layer.unsubscribe("m!1")


async def test_who_takes_messages_takes_each_frame_of_a_tick(layer: InMemoryChannelLayer) -> None:
    taker = Member(layer, "m!taker")
    peer = await connected(layer, UvicornPeer(), "m!socket")
    for channel in ("m!socket", "m!taker", "queue"):
        layer.enter("group", channel)
    for word in ("one", "two", "three"):
        layer.broadcast("group", text(word))
    assert len(peer.connection._frames) == 1, "and a socket takes all at once, all the same"
    await turn()
    assert peer.heard == ["one", "two", "three"]
    assert [message["text"] for message in taker.got] == ["one", "two", "three"]
    assert layer.channels["queue"].qsize() == 3
    await peer.stop()


async def test_who_has_left_for_good_gets_into_no_group(layer: InMemoryChannelLayer) -> None:
    member = Member(layer, "m!1")
    await layer.group_add("one", "m!1")
    await layer.group_add("two", "m!1")
    layer.leave_groups("m!1")
    assert layer.groups == {}
    await layer.group_add("three", "m!1")  # a handler that has not noticed yet
    layer.enter("four", "m!1")
    await layer.send("m!1", {"type": "late"})
    assert layer.groups == {}
    assert member.got == []
    layer.unsubscribe("m!1")
    layer.unsubscribe("m!1")
    assert layer._subscribers == {}
    assert layer.channels == {}


async def test_an_excluded_member_gets_nothing(layer: InMemoryChannelLayer) -> None:
    peer = await connected(layer, UvicornPeer(), "m!socket")
    taker = Member(layer, "m!taker")
    for channel in ("m!socket", "m!taker", "queue"):
        await layer.group_add("group", channel)
    for excluded in ("m!socket", "m!taker", "queue", "m!other"):
        await layer.group_send("group", text("not", excluded) | {"exclude": excluded})
    await turn()
    assert peer.heard == ["not m!taker", "not queue", "not m!other"]
    assert [m["text"] for m in taker.got] == ["not m!socket", "not queue", "not m!other"]
    assert layer.channels["queue"].qsize() == 3
    await peer.stop()


# Cost.


def calls(work: Callable[[], object]) -> int:
    """Function calls, in Python and in C, that `work` makes."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("message", [{"type": "chat.message", "m": "a"}, text("a")])
async def test_a_broadcast_costs_its_members_and_nothing_else(message: Message) -> None:
    async def cost(members: int, others: int) -> int:
        layer = InMemoryChannelLayer()
        for number in range(members):
            Member(layer, f"m!{number}")
            layer.enter("group", f"m!{number}")
        for number in range(others):
            Member(layer, f"o!{number}")
            layer.enter(f"other{number % 50}", f"o!{number}")
            await layer.send(f"queue{number}", message)
        return calls(lambda: layer.broadcast("group", message))

    hundred = await cost(100, 0)
    assert await cost(1_000, 0) < 10.5 * hundred
    assert await cost(100, 5_000) < hundred + 50  # a garbage collection may fall into it


async def test_a_frame_is_made_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    class Counted(Frame):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            nonlocal made
            made += 1
            super().__init__(*arguments, **options)

    monkeypatch.setattr(layers, "Frame", Counted)
    layer = InMemoryChannelLayer()
    peers = [await connected(layer, UvicornPeer(), f"m!{number}") for number in range(5)]
    for number in range(5):
        layer.enter("group", f"m!{number}")
    layer.broadcast("group", text("a"))
    await turn()
    assert made == 1
    assert [peer.heard for peer in peers] == [["a"]] * 5
    for peer in peers:
        await peer.stop()


# Order: whatever is done to whom within one tick, each hears what was sent while it was there.

MEMBERS = 4
member = st.integers(0, MEMBERS - 1)
group = st.sampled_from(["red", "blue"])
steps = st.one_of(
    st.tuples(st.just("add"), group, member),
    st.tuples(st.just("add"), group, member),
    st.tuples(st.just("discard"), group, member),
    st.tuples(st.just("send"), group, st.none()),
    st.tuples(st.just("send"), group, st.none()),
    st.tuples(st.just("send"), group, st.none()),
    st.tuples(st.just("exclude"), group, member),
    st.tuples(st.just("keyed"), group, st.none()),
    st.tuples(st.just("large"), group, st.none()),
    st.tuples(st.just("own"), st.none(), member),
    st.tuples(st.just("block"), st.none(), member),
    st.tuples(st.just("read"), st.none(), member),
    st.tuples(st.just("close"), st.none(), member),
    st.tuples(st.just("tick"), st.none(), st.none()),
)


class Model:
    """The naive truth: each member's list grows at once."""

    def __init__(self) -> None:
        self.groups: dict[str, set[int]] = {"red": set(), "blue": set()}
        self.heard: list[list[str | bytes | int]] = [[] for _ in range(MEMBERS)]
        self.closed: set[int] = set()
        self.blocked: set[int] = set()

    def tell(self, member: int, word: str | int) -> None:
        if member not in self.closed:
            self.heard[member].append(word)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=40))
def test_each_member_hears_exactly_what_was_sent_to_it_in_order(
    plan: list[tuple[str, Any, Any]],
) -> None:
    asyncio.run(compare(plan))


async def compare(plan: list[tuple[str, Any, Any]]) -> None:
    layer, model = InMemoryChannelLayer(), Model()
    peers: list[Peer] = [UvicornPeer(), UvicornPeer(), AsgiPeer(), AsgiPeer()]
    for number, peer in enumerate(peers):
        await connected(layer, peer, f"m!{number}")
    for number, (what, where, who) in enumerate(plan):
        await step(layer, peers, model, f"{number}", what, where, who)
    for peer in peers:
        await peer.read()
    await turn()
    assert [peer.heard for peer in peers] == model.heard
    for peer in peers:
        await peer.stop()


async def step(
    layer: InMemoryChannelLayer,
    peers: list[Peer],
    model: Model,
    word: str,
    what: str,
    where: Any,
    who: Any,
) -> None:
    match what:
        case "add":
            layer.enter(where, f"m!{who}")
            if who not in model.closed:
                model.groups[where].add(who)
        case "discard":
            await layer.group_discard(where, f"m!{who}")
            model.groups[where].discard(who)
        case "send" | "exclude" | "keyed" | "large":
            word = word * 30_000 if what == "large" else word
            extra = {"exclude": {"exclude": f"m!{who}"}, "keyed": {"key": "k"}}.get(what, {})
            layer.broadcast(where, text(word) | extra)
            for member in model.groups[where] - {who}:
                model.tell(member, word)
        case "own":
            peers[who].connection.write(Frame(word))
            model.tell(who, word)
        case "tick":
            await turn()
        case "read":
            await peers[who].read()
            model.blocked.discard(who)
        case "block" if who not in model.blocked | model.closed:
            await turn()
            await peers[who].block()
            model.tell(who, FILLER)
            model.blocked.add(who)
        case "close" if who not in model.closed:
            closing = asyncio.create_task(peers[who].connection.close(4000))
            await asyncio.sleep(0)
            model.tell(who, 4000)
            model.closed.add(who)
            if who not in model.blocked:
                await closing


async def connected(layer: InMemoryChannelLayer, peer: Peer, channel: str) -> Peer:
    await peer.start(Overflow.CLOSE)
    await peer.accept()
    layer.subscribe(
        channel,
        peer.inbox,
        connection=peer.connection,
        overflow=lambda: peer.connection.give_up("its mailbox is full"),
    )
    return peer


# Threads and other loops.


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


async def test_sends_from_threads_reach_an_idle_loop_at_once_and_in_order(
    pool: ThreadPoolExecutor,
) -> None:
    layer = InMemoryChannelLayer(capacity=1_000)
    loop = asyncio.get_running_loop()
    delays: list[float] = []
    words: list[str] = []

    class Timed(Mailbox):
        __slots__ = ()

        def put_nowait(self, message: Message) -> int:
            delays.append(time.monotonic() - message["at"])
            words.append(message["word"])
            return super().put_nowait(message)

    layer.subscribe("m!1", Timed(), connection=None, overflow=lambda: None)
    layer.enter("group", "m!1")

    def send(thread: int) -> None:
        for number in range(5):
            message = {"type": "test", "word": f"{thread} {number}", "at": time.monotonic()}
            async_to_sync(layer.group_send)("group", message)
            threading.Event().wait(0.005)  # the loop goes idle in between

    await asyncio.gather(*[loop.run_in_executor(pool, send, thread) for thread in range(8)])
    assert len(words) == 40
    for thread in range(8):
        mine = [word for word in words if word.startswith(f"{thread} ")]
        assert mine == [f"{thread} {number}" for number in range(5)]
    delays.sort()
    assert delays[35] < 0.05, delays
    assert delays[-1] < 0.5, delays


async def test_a_tight_loop_in_threads_is_no_faster_than_the_members(
    pool: ThreadPoolExecutor,
) -> None:
    layer = InMemoryChannelLayer(capacity=20)
    loop = asyncio.get_running_loop()
    member = Member(layer, "m!1")
    layer.enter("group", "m!1")
    got: list[int] = []

    async def read() -> None:
        while True:
            got.append((await member.mailbox.get())["number"])

    reader = asyncio.create_task(read())

    def send() -> None:
        async def all_of_them() -> None:
            for number in range(125):
                await layer.group_send("group", {"type": "test", "number": number})

        asyncio.run(all_of_them())

    await asyncio.gather(*[loop.run_in_executor(pool, send) for _ in range(8)])
    await until(lambda: len(got) == 1_000)
    assert member.overflows == 0
    reader.cancel()


async def test_a_thread_hears_that_a_channel_is_full(
    layer: InMemoryChannelLayer, pool: ThreadPoolExecutor
) -> None:
    Member(layer, "m!1")  # this loop serves

    def fill() -> None:
        for _ in range(4):
            async_to_sync(layer.send)("channel", {"type": "test"})

    with pytest.raises(ChannelFull):
        await asyncio.get_running_loop().run_in_executor(pool, fill)


async def test_a_thread_may_join_and_leave_for_a_member(
    layer: InMemoryChannelLayer, pool: ThreadPoolExecutor
) -> None:
    Member(layer, "m!1")
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(pool, async_to_sync(layer.group_add), "group", "m!1")
    assert "m!1" in layer.groups["group"]
    await loop.run_in_executor(pool, async_to_sync(layer.group_discard), "group", "m!1")
    assert layer.groups == {}


async def test_a_sync_view_sends_from_its_thread(layer: InMemoryChannelLayer) -> None:
    member = Member(layer, "m!1")
    layer.enter("group", "m!1")

    def view() -> None:
        async_to_sync(layer.group_send)("group", {"type": "from.a.view"})

    await sync_to_async(view)()
    assert member.got == [{"type": "from.a.view"}]


async def test_a_loop_that_waits_for_its_sender_is_no_deadlock(
    layer: InMemoryChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "PATIENCE", 0.05)
    member = Member(layer, "m!1")
    layer.enter("group", "m!1")
    sender = threading.Thread(target=async_to_sync(layer.group_send), args=("group", {"type": "a"}))
    sender.start()
    sender.join(5)  # blocks this loop, as nobody should
    assert not sender.is_alive()
    await until(lambda: member.got)


async def test_a_sender_that_ran_before_the_server_does_not_become_its_loop(
    layer: InMemoryChannelLayer,
) -> None:
    started, over = threading.Event(), threading.Event()

    async def early() -> None:
        await layer.send("channel", {"type": "early"})
        started.set()
        over.wait(5)

    thread = threading.Thread(target=asyncio.run, args=(early(),))
    thread.start()
    await asyncio.get_running_loop().run_in_executor(None, started.wait, 5)
    member = Member(layer, "m!1")
    await layer.send("m!1", {"type": "mine"})
    assert member.got == [{"type": "mine"}]
    over.set()
    thread.join()
    assert await layer.receive("channel") == {"type": "early"}


def test_a_layer_serves_one_loop_after_another(layer: InMemoryChannelLayer) -> None:
    async def session() -> list[Message]:
        member = Member(layer, "m!1")
        layer.enter("group", "m!1")
        await layer.group_send("group", {"type": "hi"})
        layer.unsubscribe("m!1")
        return member.got

    assert asyncio.run(session()) == asyncio.run(session()) == [{"type": "hi"}]


PUBLISHERS = """
import asyncio, threading
from asgiref.sync import async_to_sync
from realtime.layers import InMemoryChannelLayer
from realtime.mailbox import Mailbox

async def main():
    layer, mailbox, got = InMemoryChannelLayer(), Mailbox(), []
    layer.subscribe("m!1", mailbox, connection=None, overflow=lambda: got.append("overflow"))
    layer.enter("group", "m!1")
    def publish(thread):
        for number in range(125):
            async_to_sync(layer.group_send)("group", {"type": "t", "n": (thread, number)})
    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads: thread.start()
    while len(got) < 1000:
        got.append((await mailbox.get())["n"])
    for thread in threads: thread.join()
    assert sorted(got) == [(t, n) for t in range(8) for n in range(125)]
    for t in range(8):
        assert [n for thread, n in got if thread == t] == list(range(125))

asyncio.run(main())
print("all arrived")
"""


def test_a_thousand_sends_from_8_threads_all_arrive_in_asyncios_debug_mode() -> None:
    switches = {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PUBLISHERS],
        cwd=ROOT,
        env=variables(switches | {"DJANGO_SETTINGS_MODULE": "settings"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "all arrived\n", done.stderr
    for word in ("Error", "Traceback", "never", "non-thread-safe", "destroyed"):
        assert word not in done.stderr, done.stderr
