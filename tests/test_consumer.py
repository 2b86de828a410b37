"""The consumer behind every WebSocket: Channels' API, and nothing left behind however it ends."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
import uvloop
from channels.exceptions import AcceptConnection, DenyConnection, StopConsumer
from channels.generic import websocket as stock
from channels.layers import InMemoryChannelLayer as StockLayer
from channels.testing import WebsocketCommunicator

from realtime import consumer as module
from realtime import consumers, counters
from realtime.asgi_connection import AsgiConnection
from realtime.connection import CLOSED, Overflow
from realtime.consumers import AsyncWebsocketConsumer
from realtime.layers import InMemoryChannelLayer
from realtime.uvicorn_connection import UvicornConnection
from tests.crowd import Client, default_layer, gone, is_empty, served
from tests.peers import until
from tests.raw import frame

Run = Callable[[Any], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine to its end, on either loop."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(work: Any) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(asyncio.wait_for(work, 60))

    return run


@pytest.fixture
def errors() -> Iterator[list[str]]:
    """What was logged as an error or with a traceback: by us, by uvicorn, by asyncio."""
    lines: list[str] = []
    handler = logging.Handler()

    def emit(record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            lines.append(record.getMessage())

    handler.emit = emit  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("realtime", "uvicorn.error", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    yield lines
    for logger in loggers:
        logger.removeHandler(handler)


class Recorder(AsyncWebsocketConsumer):
    """In a group; remembers what it was told."""

    codes: ClassVar[list[int]]
    live: ClassVar[list[Recorder]]

    def __init_subclass__(cls) -> None:
        cls.codes, cls.live = [], []

    async def connect(self) -> None:
        self.live.append(self)
        await self.channel_layer.group_add("all", self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        self.codes.append(code)


# The API is Channels'.


@pytest.mark.parametrize("name", ["AsyncWebsocketConsumer", "AsyncJsonWebsocketConsumer"])
def test_every_attribute_is_there_and_every_signature_is_channels(name: str) -> None:
    theirs, ours = getattr(stock, name), getattr(consumers, name)
    assert issubclass(ours, theirs)
    for attribute in dir(theirs):
        if attribute.startswith("__") and attribute != "__call__":
            continue
        original, own = getattr(theirs, attribute), getattr(ours, attribute)
        if inspect.isroutine(original):
            names = list(inspect.signature(original).parameters)
            assert list(inspect.signature(own).parameters) == names, attribute
            same = inspect.iscoroutinefunction(own) == inspect.iscoroutinefunction(original)
            assert same, attribute
            for parameter, kind in inspect.signature(original).parameters.items():
                assert inspect.signature(own).parameters[parameter].default == kind.default
        else:
            assert own == original, attribute


async def test_an_instance_has_the_attributes_of_channels() -> None:
    seen: dict[str, set[str]] = {}

    def seeing(base: Any) -> Any:
        class Seeing(base):
            async def connect(self) -> None:
                await self.accept()
                seen[base.__module__] = set(vars(self))

        return Seeing

    for base in (stock.AsyncWebsocketConsumer, AsyncWebsocketConsumer):
        communicator = WebsocketCommunicator(seeing(base).as_asgi(), "/")
        await communicator.connect()
        await communicator.disconnect()
    assert seen["channels.generic.websocket"] <= seen["realtime.consumer"]


TUTORIAL = """
import json

from {module} import AsyncWebsocketConsumer


class ChatConsumer(AsyncWebsocketConsumer):
    async def connect(self):
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"

        # Join room group
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)

        await self.accept()

    async def disconnect(self, close_code):
        # Leave room group
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    # Receive message from WebSocket
    async def receive(self, text_data):
        text_data_json = json.loads(text_data)
        message = text_data_json["message"]

        # Send message to room group
        await self.channel_layer.group_send(
            self.room_group_name, {"type": "chat.message", "message": message}
        )

    # Receive message from room group
    async def chat_message(self, event):
        message = event["message"]

        # Send message to WebSocket
        await self.send(text_data=json.dumps({"message": message}))
""".replace("{module}", "realtime.consumers")


def tutorial() -> Any:
    """The chat consumer of Channels' tutorial, part 3, with its import changed."""
    names: dict[str, Any] = {}
    exec(TUTORIAL, names)

    chat: Any = names["ChatConsumer"]

    class Routed(chat):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            route = {"url_route": {"kwargs": {"room_name": "lobby"}}}
            await super().__call__(scope | route, receive, send)

    return Routed


def test_the_tutorials_chat_works_as_it_is(run: Run) -> None:
    async def body() -> None:
        async with served(tutorial()) as (address, layer):
            clients = [await Client.open(address.port) for _ in range(3)]
            clients[0].send(json.dumps({"message": "hello"}))
            for client in clients:
                assert await client.until_heard(1) == ['{"message": "hello"}']
            for client in clients:
                client.leave()
            await gone(address, layer)

    run(body())


@pytest.fixture(params=[InMemoryChannelLayer, StockLayer], ids=["ours", "stock"])
def any_layer(request: pytest.FixtureRequest) -> Iterator[Any]:
    with default_layer(request.param()) as layer:
        yield layer


async def test_the_tutorials_chat_works_in_a_communicator_and_on_any_layer(any_layer: Any) -> None:
    communicators = [WebsocketCommunicator(tutorial().as_asgi(), "/") for _ in range(2)]
    for communicator in communicators:
        assert await communicator.connect() == (True, None)
    await communicators[0].send_json_to({"message": "hello"})
    for communicator in communicators:
        assert await communicator.receive_json_from() == {"message": "hello"}
        assert await communicator.receive_nothing()
    for communicator in communicators:
        await communicator.disconnect()
    assert any_layer.groups == {}


async def test_a_websocket_send_event_arrives_on_any_layer(any_layer: Any) -> None:
    class Member(AsyncWebsocketConsumer):
        groups: ClassVar[list[str]] = ["all"]

    one, two = (WebsocketCommunicator(Member.as_asgi(), "/") for _ in range(2))
    await one.connect()
    await two.connect()
    [excluded, _] = any_layer.groups["all"]
    message = {"type": "websocket.send", "text": "hi", "exclude": excluded}
    await any_layer.group_send("all", message)
    assert await two.receive_from() == "hi"
    assert await one.receive_nothing()
    await one.disconnect()
    await two.disconnect()


async def test_a_consumer_that_stops_by_itself_leaves_no_task(any_layer: Any) -> None:
    class Stops(AsyncWebsocketConsumer):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            raise StopConsumer

    before = asyncio.all_tasks()
    communicator = WebsocketCommunicator(Stops.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_to(text_data="stop")
    await communicator.wait()
    await until(lambda: asyncio.all_tasks() == before, 1)


def test_a_consumer_that_handles_websocket_send_itself_gets_it(run: Run) -> None:
    class Own(Recorder):
        async def websocket_send(self, message: Any) -> None:
            await self.send(text_data=message["text"].upper())

    async def body() -> None:
        async with served(Own) as (address, layer):
            client = await Client.open(address.port)
            await layer.group_send("all", {"type": "websocket.send", "text": "hi"})
            assert await client.until_heard(1) == ["HI"]

    run(body())


async def test_accept_takes_a_subprotocol_and_headers() -> None:
    class Chooses(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            await self.accept(subprotocol="b", headers=[(b"x", b"y")])

    communicator = WebsocketCommunicator(Chooses.as_asgi(), "/", subprotocols=["a", "b"])
    assert await communicator.connect() == (True, "b")
    await communicator.disconnect()


@pytest.mark.parametrize(("word", "accepted"), [(AcceptConnection, True), (DenyConnection, False)])
async def test_connect_may_answer_with_an_exception(word: type, accepted: bool) -> None:
    class Answers(AsyncWebsocketConsumer):
        async def connect(self) -> None:
            raise word

    communicator = WebsocketCommunicator(Answers.as_asgi(), "/")
    assert (await communicator.connect())[0] is accepted
    if accepted:
        await communicator.disconnect()


async def test_send_closes_when_asked_and_wants_something_to_send() -> None:
    class Sends(AsyncWebsocketConsumer):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            with pytest.raises(ValueError, match="one of bytes_data or text_data"):
                await self.send()
            await self.send(bytes_data=b"last", close=4001)

    communicator = WebsocketCommunicator(Sends.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_to(text_data="go")
    assert await communicator.receive_from() == b"last"
    assert (await communicator.receive_output())["code"] == 4001
    await communicator.disconnect()


async def test_no_layer_is_needed() -> None:
    class Lone(AsyncWebsocketConsumer):
        channel_layer_alias = "missing"

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            assert self.channel_layer is None
            await self.send(text_data=text_data)

    communicator = WebsocketCommunicator(Lone.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_to(text_data="alone")
    assert await communicator.receive_from() == "alone"
    await communicator.disconnect()


async def test_groups_without_a_layer_are_one_error(logged: list[str]) -> None:
    class Lone(AsyncWebsocketConsumer):
        channel_layer_alias = "missing"
        groups: ClassVar[list[str]] = ["all"]

    communicator = WebsocketCommunicator(Lone.as_asgi(), "/")
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output())["type"] == "websocket.accept"
    assert (await communicator.receive_output())["code"] == 1011
    await communicator.wait()
    assert len(logged) == 1


# Every way to end.


class Busy(Recorder):
    """Does what the text says."""

    waiting: ClassVar[asyncio.Event]

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        match text_data:
            case "raise":
                raise RuntimeError("a bug of ours")
            case "stop":
                raise StopConsumer
            case "close":
                await self.close(4001, "enough")
            case "cancel":
                assert self._task is not None
                self._task.cancel()
                await asyncio.sleep(60)
            case "wait":
                self.waiting.set()
                await asyncio.sleep(60)
            case "unknown":
                await self.dispatch({"type": "no.such.handler"})
            case "send for ever":
                while True:
                    await self.send(text_data="x" * 1_000)
                    await asyncio.sleep(0)
            case _:
                await self.send(text_data=text_data)


INVALID = frame(1, b"\xff")

ENDS: dict[str, tuple[Callable[[Client], None], int, int | None, int]] = {
    # What the client does; what disconnect() is told; what the client is told; tracebacks.
    "clean close": (lambda client: client.leave(1000), 1000, 1000, 0),
    "reload": (lambda client: client.leave(1001), 1001, 1001, 0),
    "gone without a word": (lambda client: client.vanish(), 1005, None, 0),
    "our close": (lambda client: client.send("close"), 4001, 4001, 0),
    "a bug": (lambda client: client.send("raise"), 1011, 1011, 1),
    "an unknown type": (lambda client: client.send("unknown"), 1011, 1011, 1),
    "StopConsumer": (lambda client: client.send("stop"), 1001, None, 0),
    "a broken frame": (lambda client: client.transport.write(b"\xff\xff"), 1002, 1002, 0),
    "invalid UTF-8": (
        lambda client: client.transport.write(b"\x81\x81\0\0\0\0\xff"),
        1007,
        1007,
        0,
    ),
}


@pytest.mark.parametrize(("act", "told", "code", "tracebacks"), ENDS.values(), ids=ENDS)
def test_every_end_runs_disconnect_once_and_leaves_nothing(
    run: Run,
    errors: list[str],
    act: Callable[[Client], None],
    told: int,
    code: int | None,
    tracebacks: int,
) -> None:
    class Ends(Busy):
        pass

    async def body() -> None:
        async with served(Ends) as (address, layer):
            client = await Client.open(address.port)
            other = await Client.open(address.port)
            act(client)
            await client.ended.wait()
            await until(lambda: Ends.codes)
            assert Ends.codes == [told]
            assert client.code == code
            await layer.group_send("all", {"type": "websocket.send", "text": "still here"})
            assert await other.until_heard(1) == ["still here"]
            assert len(layer._subscribers) == 1
            other.leave()
            await gone(address, layer)
            assert len(Ends.codes) == 2

    run(body())
    assert len(errors) == tracebacks


def test_a_bug_is_one_traceback_with_the_id_that_the_browser_is_told(
    run: Run, logged: list[str]
) -> None:
    class Buggy(Busy):
        pass

    async def body() -> None:
        async with served(Buggy) as (address, _):
            client = await Client.open(address.port)
            client.parses = False
            client.send("raise")
            await client.ended.wait() if client.code else await until(lambda: len(client.data) > 9)
            reason = client.data[4:].decode()
            short_id = reason.split()[1].rstrip(":")
            assert len(short_id) == 6
            assert [line for line in logged if short_id in line]
            client.vanish()

    run(body())
    assert len(logged) == 1


@pytest.mark.parametrize("where", ["connect", "connect, accepted", "disconnect"])
def test_a_bug_in_connect_or_disconnect_leaves_nothing(
    run: Run, logged: list[str], where: str
) -> None:
    class Buggy(Recorder):
        async def connect(self) -> None:
            await self.channel_layer.group_add("all", self.channel_name)
            if where == "connect, accepted":
                await self.accept()
            if where != "disconnect":
                raise RuntimeError("a bug of ours")
            await self.accept()

        async def disconnect(self, code: int) -> None:
            await super().disconnect(code)
            if where == "disconnect":
                raise RuntimeError("a bug of ours")

    async def body() -> None:
        async with served(Buggy) as (address, layer):
            client = await Client.open(address.port)
            if where == "disconnect":
                client.leave()
            await client.ended.wait()
            assert client.code == (1000 if where == "disconnect" else 1011)
            await gone(address, layer)
            assert Buggy.codes == [1000 if where == "disconnect" else 1011]

    crashes = counters.crashes.copy()
    run(body())
    assert len(logged) == 1
    assert (counters.crashes - crashes).total() == 1


def test_a_refusal_before_the_accept_is_a_403(run: Run, logged: list[str]) -> None:
    class Refuses(Recorder):
        async def connect(self) -> None:
            await self.channel_layer.group_add("all", self.channel_name)
            await self.close()
            await self.send(text_data="nobody hears this")

    async def body() -> None:
        async with served(Refuses) as (address, layer):
            client = await Client.open(address.port, wait=False)
            client.accepted.set()
            client.parses = False
            await client.ended.wait()
            assert client.data.startswith(b"HTTP/1.1 403")
            await gone(address, layer)
            assert len(Refuses.codes) == 1

    run(body())
    assert logged == []


def test_who_goes_before_the_accept_is_no_error(
    run: Run, errors: list[str], logged: list[str]
) -> None:
    class Slow(Recorder):
        entered: ClassVar[asyncio.Event]
        proceed: ClassVar[asyncio.Event]

        async def connect(self) -> None:
            self.entered.set()
            await self.proceed.wait()
            await super().connect()

    async def body() -> None:
        Slow.entered, Slow.proceed = asyncio.Event(), asyncio.Event()
        async with served(Slow) as (address, layer):
            client = await Client.open(address.port, wait=False)
            await Slow.entered.wait()
            client.vanish()
            await until(lambda: not address.server.server_state.connections)
            Slow.proceed.set()
            await gone(address, layer)
            assert Slow.codes == [1006]

    run(body())
    assert logged == errors == []


def test_who_goes_before_the_consumer_begins_is_no_error(run: Run, logged: list[str]) -> None:
    class Late(Recorder):
        proceed: ClassVar[asyncio.Event]

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.proceed.wait()  # a middleware that looks something up
            await super().__call__(scope, receive, send)

        async def connect(self) -> None:
            await self.channel_layer.group_add("all", self.channel_name)
            assert self.channel_layer.groups == {}
            await self.accept()

    async def body() -> None:
        Late.proceed = asyncio.Event()
        async with served(Late) as (address, layer):
            client = await Client.open(address.port, wait=False)
            await until(lambda: address.server.server_state.tasks)
            client.vanish()
            await until(lambda: not address.server.server_state.connections)
            Late.proceed.set()
            await gone(address, layer)
            assert Late.codes == [1006]

    run(body())
    assert logged == []


def test_a_group_is_not_joined_by_who_has_gone_meanwhile(run: Run) -> None:
    class Joins(Busy):
        proceed: ClassVar[asyncio.Event]

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await self.proceed.wait()
            await self.channel_layer.group_add("late", self.channel_name)
            assert "late" not in self.channel_layer.groups
            await asyncio.sleep(60)

    async def body() -> None:
        Joins.proceed = asyncio.Event()
        async with served(Joins) as (address, layer):
            client = await Client.open(address.port)
            client.send("go")
            client.vanish()
            await until(lambda: not layer.groups)
            Joins.proceed.set()
            await until(lambda: Joins.live[0].connection.state is CLOSED)
            assert Joins.live[0]._task is not None
            Joins.live[0]._task.cancel()
            await gone(address, layer)

    run(body())


def test_a_handler_that_sends_to_who_has_gone_ends_quietly(
    run: Run, errors: list[str], logged: list[str]
) -> None:
    class Sends(Busy):
        pass

    async def body() -> None:
        async with served(Sends) as (address, layer):
            client = await Client.open(address.port)
            client.send("send for ever")
            await client.until_heard(10)
            client.vanish()
            await gone(address, layer)
            assert len(Sends.codes) == 1

    run(body())
    assert logged == errors == []


def test_what_had_arrived_before_the_end_is_still_handled(run: Run, logged: list[str]) -> None:
    class Handles(Recorder):
        handled: ClassVar[list[Any]] = []

        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            self.handled.append(text_data)
            await until(lambda: self.connection.state is CLOSED)
            await self.send(text_data="to nobody")
            self.handled.append("not reached")

    async def body() -> None:
        Handles.handled.clear()
        async with served(Handles) as (address, layer):
            client = await Client.open(address.port)
            client.send("one")
            client.send("two")
            client.leave()
            await gone(address, layer)
            assert Handles.handled == ["one", "two"]
            assert Handles.codes == [1000]

    run(body())
    assert logged == []


def test_a_cancelled_consumer_leaves_nothing(run: Run, logged: list[str]) -> None:
    class Cancelled(Busy):
        pass

    async def body() -> None:
        async with served(Cancelled) as (address, layer):
            client = await Client.open(address.port)
            client.send("cancel")
            await client.ended.wait()
            await gone(address, layer)
            assert Cancelled.codes == [1001]

    run(body())
    assert logged == []


async def test_a_cancel_after_the_peer_has_gone_is_a_quiet_end(any_layer: Any) -> None:
    class Lingers(Busy):
        pass

    Lingers.waiting = asyncio.Event()
    communicator = WebsocketCommunicator(Lingers.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_to(text_data="wait")
    await Lingers.waiting.wait()
    await communicator.send_input({"type": "websocket.disconnect", "code": 1012})
    await until(lambda: Lingers.live[0].connection.state is CLOSED)
    communicator.future.cancel()
    await asyncio.wait([communicator.future])
    assert not communicator.future.cancelled()  # or the server would log a traceback
    assert Lingers.codes == [1012]


def test_a_server_that_stops_tells_1012_and_cuts_a_busy_handler_short(
    run: Run, errors: list[str], logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GOODBYE_TIMEOUT", 0.1)

    class Stops(Busy):
        pass

    async def body() -> None:
        Stops.waiting = asyncio.Event()
        async with served(Stops) as (address, layer):
            idle, busy = [await Client.open(address.port) for _ in range(2)]
            busy.send("wait")
            await Stops.waiting.wait()
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 1.5
        assert (idle.code, busy.code) == (1012, 1012)
        assert Stops.codes == [1012, 1012]
        assert is_empty(layer)

    run(body())
    assert logged == errors == []


def test_a_server_stops_in_time_although_a_peer_does_not_read(
    run: Run, settings: Any, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    monkeypatch.setattr("realtime.uvicorn_connection.STOP_TIMEOUT", 0.1)
    monkeypatch.setattr(module, "GOODBYE_TIMEOUT", 0.2)

    class Floods(Busy):
        pass

    async def body() -> None:
        async with served(Floods) as (address, _):
            client = await Client.open(address.port)
            client.transport.pause_reading()
            client.send("send for ever")
            await until(lambda: Floods.live[0].connection.waiting > 0, 20)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 1.5
        assert Floods.codes == [1012]
        client.vanish()

    run(body())
    assert logged == []


@pytest.mark.parametrize("count", [1, 10, 50, 200])
def test_clients_that_vanish_while_a_broadcast_answers_them_leave_nothing(
    run: Run, logged: list[str], count: int
) -> None:
    class Chat(Recorder):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await self.channel_layer.group_send("all", {"type": "chat", "text": text_data})
            await self.channel_layer.group_send(
                "all", {"type": "websocket.send", "text": text_data}
            )

        async def chat(self, event: Any) -> None:
            await self.send(text_data=event["text"])

    async def body() -> None:
        async with served(Chat) as (address, layer):
            clients = [await Client.open(address.port) for _ in range(count)]
            for number, client in enumerate(clients):
                client.send("bye " * 50)
                if number % 2:
                    client.leave()
                client.vanish()
            await gone(address, layer)
            assert len(Chat.codes) == count
            assert not any(len(each.mailbox) > 1 for each in Chat.live)

    run(body())
    assert logged == []


# A slow handler.


def test_a_slow_handler_stops_no_ping_no_broadcast_and_no_noticing(run: Run) -> None:
    class Slow(Busy):
        pass

    async def body() -> None:
        Slow.waiting = asyncio.Event()
        options = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.1}
        async with served(Slow, **options) as (address, layer):
            client = await Client.open(address.port)
            client.send("wait")
            client.send("a second frame waits")
            await Slow.waiting.wait()
            client.ping()
            await layer.group_send("all", {"type": "websocket.send", "text": "broadcast"})
            assert await client.until_heard(1) == ["broadcast"]
            await until(lambda: client.pongs == 1)
            client.leave()
            await until(lambda: not layer.groups, 1)
            assert Slow.codes == [], "the handler is still busy"
            assert Slow.live[0]._task is not None
            Slow.live[0]._task.cancel()
            await gone(address, layer)
            assert Slow.codes == [1000]

    run(body())


def test_a_handler_slower_than_its_groups_ends_with_4508_and_not_in_silence(
    run: Run, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.subscriber.GRACE", 0.2)

    class Slow(Busy):
        async def note(self, event: Any) -> None:
            self.waiting.set()
            await asyncio.sleep(60)

    before = counters.closes[4508]

    async def body() -> None:
        Slow.waiting = asyncio.Event()
        async with served({"/": Slow, "/quick": Quick}) as (address, layer):
            slow, quick = await Client.open(address.port), await Client.open(address.port, "/quick")
            for number in range(150):
                await layer.group_send("all", {"type": "note", "text": f"{number}"})
            await slow.ended.wait()
            assert slow.code == 4508
            assert await quick.until_heard(150) == [f"{number}" for number in range(150)]
            assert len(layer._subscribers) == 2
            assert len(layer.groups["all"]) == 1
            assert Slow.live[0]._task is not None
            Slow.live[0]._task.cancel()
            await until(lambda: Slow.codes == [4508])
            await until(lambda: counters.closes[4508] == before + 1)

    class Quick(Recorder):
        async def note(self, event: Any) -> None:
            await self.send(text_data=event["text"])

    run(body())
    assert logged == [
        "A slow connection was closed (4508): its handlers are slower than what its groups send"
    ]


def test_the_order_of_handlers_is_the_order_of_arrival(run: Run) -> None:
    class Serial(Recorder):
        async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
            await asyncio.sleep(0)
            await self.send(text_data=text_data)

    async def body() -> None:
        async with served(Serial) as (address, _):
            client = await Client.open(address.port)
            texts = [str(number) for number in range(500)]
            for text in texts:
                client.send(text)
            assert await client.until_heard(500) == texts

    run(body())


# Both ways, on one server.


def test_the_way_is_chosen_by_what_send_is(run: Run) -> None:
    class Fast(Busy):
        pass

    class Plain(Busy):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def wrapped(event: Any) -> None:
                await send(event)

            await super().__call__(scope, receive, wrapped)

    async def body() -> None:
        async with served({"/": Fast, "/plain": Plain}) as (address, layer):
            clients = [await Client.open(address.port, path) for path in ("/", "/plain")]
            assert isinstance(Fast.live[0].connection, UvicornConnection)
            assert isinstance(Plain.live[0].connection, AsgiConnection)
            for client in clients:
                client.send("echo")
                assert await client.until_heard(1) == ["echo"]
            await layer.group_send("all", {"type": "websocket.send", "text": "both"})
            for client in clients:
                assert (await client.until_heard(2))[1] == "both"
                client.send("close")
                await client.ended.wait()
                assert client.code == 4001
            await gone(address, layer)
            assert (Fast.codes, Plain.codes) == ([4001], [4001])

    run(body())


async def test_overflow_is_a_choice_of_the_class() -> None:
    class Board(AsyncWebsocketConsumer):
        overflow = Overflow.CONFLATE
        seen: ClassVar[list[Any]] = []

        async def connect(self) -> None:
            self.seen.append(self.connection.overflow)
            await self.accept()

    communicator = WebsocketCommunicator(Board.as_asgi(), "/")
    await communicator.connect()
    await communicator.disconnect()
    assert Board.seen == [Overflow.CONFLATE]


def test_a_message_too_big_is_closed_with_1009_by_both_ways(run: Run, settings: Any) -> None:
    settings.REALTIME_MAX_MESSAGE_SIZE = 1_000

    class Plain(Busy):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await super().__call__(scope, receive, lambda event: send(event))

    class Fast(Busy):
        pass

    async def body() -> None:
        async with served({"/": Fast, "/plain": Plain}) as (address, layer):
            for path in ("/", "/plain"):
                client = await Client.open(address.port, path)
                client.send("é" * 500)
                assert await client.until_heard(1) == ["é" * 500]
                client.send("é" * 501)
                await client.ended.wait()
                assert client.code == 1009
            await gone(address, layer)

    run(body())


async def test_one_connection_too_many_is_told_so_and_the_others_stay(settings: Any) -> None:
    settings.REALTIME_MAX_CONNECTIONS = len(module.live) + 1
    first, second = (WebsocketCommunicator(consumers.EchoConsumer.as_asgi(), "/") for _ in "ab")
    assert (await first.connect())[0]
    assert (await second.connect())[0]
    closed = await second.receive_output()
    assert (closed["type"], closed["code"]) == ("websocket.close", 4503)
    assert closed["reason"].startswith("This server holds ")
    await second.disconnect()
    await first.send_to("still here")
    assert await first.receive_from() == "still here"
    await first.disconnect()
    third = WebsocketCommunicator(consumers.EchoConsumer.as_asgi(), "/")
    assert (await third.connect())[0]
    await third.send_to("there is room again")
    assert await third.receive_from() == "there is room again"
    await third.disconnect()
    assert not module.live
