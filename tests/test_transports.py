"""The two ways to a socket: which is taken, and both on real servers and against real peers."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import uvloop
from channels.sessions import InstanceSessionWrapper
from websockets.asyncio.client import connect as websocket
from websockets.exceptions import ConnectionClosed

from realtime import uvicorn_connection
from realtime.connection import Overflow
from realtime.consumers import AsyncWebsocketConsumer
from realtime.layers import InMemoryChannelLayer
from realtime.uvicorn_connection import UvicornConnection, uvicorn_protocol
from tests.crowd import Client, gone, served
from tests.peers import UvicornPeer, until
from tests.processes import ROOT, free_port, variables
from tests.raw import frame, upgrade

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """Runs a coroutine to its end, on either loop."""

    def run(work: Any) -> Any:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            return runner.run(asyncio.wait_for(work, 60))

    return run


Run = Callable[[Any], Any]


class Room(AsyncWebsocketConsumer):
    """Echoes, and closes when told to."""

    groups: ClassVar[list[str]] = ["all"]
    live: ClassVar[list[Room]]
    codes: ClassVar[list[int]]

    def __init_subclass__(cls) -> None:
        cls.live, cls.codes = [], []

    async def connect(self) -> None:
        self.live.append(self)
        await self.accept()

    async def receive(self, text_data: Any = None, bytes_data: Any = None) -> None:
        if text_data == "close":
            await self.close(4001)
        else:
            await self.send(text_data=text_data, bytes_data=bytes_data)

    async def disconnect(self, code: int) -> None:
        self.codes.append(code)


def message(text: str) -> dict[str, Any]:
    return {"type": "websocket.send", "text": text}


# Which way.


@pytest.fixture
async def uvicorn_pair() -> Any:
    """uvicorn's own `receive` and `send`, and the protocol that they are methods of."""
    peer = UvicornPeer()
    await peer.start(Overflow.CLOSE)
    fresh = UvicornPeer()
    await fresh.start(Overflow.CLOSE)
    fresh.protocol.queue, fresh.protocol.writable = asyncio.Queue(), asyncio.Event()
    fresh.protocol.writable.set()
    yield fresh.protocol.receive, fresh.protocol.send
    for each in (peer, fresh):
        await each.stop()


async def test_uvicorns_own_methods_are_known(uvicorn_pair: Any) -> None:
    receive, send = uvicorn_pair
    assert uvicorn_protocol(receive, send) is send.__self__


async def test_the_session_middleware_is_looked_through(uvicorn_pair: Any) -> None:
    receive, send = uvicorn_pair
    wrapper = object.__new__(InstanceSessionWrapper)
    wrapper.real_send = send
    assert uvicorn_protocol(receive, wrapper.send) is send.__self__


async def test_anything_else_is_served_the_plain_way(
    uvicorn_pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive, send = uvicorn_pair

    async def wrapped(event: Any) -> None:
        await send(event)

    class Other(InstanceSessionWrapper):
        async def send(self, event: Any) -> None: ...

    other = object.__new__(Other)
    other.real_send = send
    for pair in ((receive, wrapped), (wrapped, send), (receive, other.send), (send, receive)):
        assert uvicorn_protocol(*pair) is None
    with monkeypatch.context() as patch:
        patch.setattr(uvicorn_connection, "WebSocketsSansIOProtocol", None)
        assert uvicorn_protocol(receive, send) is None


@pytest.mark.parametrize("name", uvicorn_connection.USED)
async def test_a_uvicorn_that_lacks_a_part_is_served_the_plain_way(
    uvicorn_pair: Any, name: str
) -> None:
    receive, send = uvicorn_pair
    protocol = send.__self__
    value = vars(protocol).pop(name)
    assert uvicorn_protocol(receive, send) is None
    setattr(protocol, name, value)


@pytest.mark.parametrize("part", ["queue", "writable"])
async def test_a_uvicorn_with_other_parts_is_served_the_plain_way(
    uvicorn_pair: Any, part: str
) -> None:
    receive, send = uvicorn_pair
    original = getattr(send.__self__, part)
    setattr(send.__self__, part, object())
    assert uvicorn_protocol(receive, send) is None
    setattr(send.__self__, part, original)


# The wire.


def test_a_client_that_offers_compression_gets_ready_frames(run: Run) -> None:
    class Here(Room):
        pass

    async def body() -> None:
        async with served(Here) as (address, layer), websocket(address.ws("/")) as client:
            assert client.response is not None
            assert "permessage-deflate" in client.response.headers["Sec-WebSocket-Extensions"]
            for text in ("a", "é" * 100, "x" * 60_000):
                await client.send(text)  # compressed
                assert await client.recv() == text
                await layer.group_send("all", message(text))
                assert await client.recv() == text
            await client.send("close")
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 4001

    run(body())


def test_a_frame_in_pieces_of_one_byte_is_read_and_a_slow_reading_peer_gets_it_whole(
    run: Run,
) -> None:
    class Here(Room):
        pass

    async def body() -> None:
        async with served(Here) as (address, _):
            client = await Client.open(address.port)
            for byte in frame(1, b"piecemeal"):
                client.transport.write(bytes([byte]))
                await asyncio.sleep(0)
            assert await client.until_heard(1) == ["piecemeal"]
            client.vanish()
            loop = asyncio.get_running_loop()
            with socket.create_connection((address.host, address.port)) as slow:
                slow.setblocking(False)
                received = b""
                for request, end in (
                    (upgrade(b"/"), b"\r\n\r\n"),
                    (frame(1, b"x" * 300), b"\x81\x7e\x01\x2c" + b"x" * 300),
                ):
                    await loop.sock_sendall(slow, request)
                    while not received.endswith(end):
                        piece = await loop.sock_recv(slow, 1)
                        assert piece, received
                        received += piece

    run(body())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A key and a certificate of our own for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    key, crt = str(folder / "key.pem"), str(folder / "crt.pem")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", key, "-out", crt, "-days", "2", "-subj", "/CN=localhost"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"openssl makes no certificate here: {error}")
    return key, crt


def test_all_of_it_works_under_tls(
    run: Run, certificate: tuple[str, str], settings: Any, logged: list[str]
) -> None:
    settings.REALTIME_OUTBOX_BYTES = 300_000
    key, crt = certificate

    class Here(Room):
        pass

    async def body() -> None:
        trust = ssl.create_default_context(cafile=crt)
        trust.check_hostname = False
        options = {"ssl_keyfile": key, "ssl_certfile": crt}
        async with served(Here, **options) as (address, layer):
            url = address.ws("/").replace("ws:", "wss:")
            one = await websocket(url, ssl=trust)
            slow = await websocket(url, ssl=trust, max_queue=1)
            assert isinstance(Here.live[0].connection, UvicornConnection)
            await one.send("over tls")
            assert await one.recv() == "over tls"
            count = 0
            while len(layer.groups["all"]) == 2:  # the other one does not read
                await layer.group_send("all", message("x" * 50_000))
                assert await one.recv() == "x" * 50_000
                count += 1
                assert count < 500
            assert Here.live[1]._close_code == 4508
            await one.send("close")
            with pytest.raises(ConnectionClosed):
                await one.recv()
            assert one.close_code == 4001
            slow.transport.abort()
            await gone(address, layer, 5)

    run(body())
    assert len(logged) == 1


# Peers that stop.


def test_a_client_that_sends_a_thousand_frames_and_never_reads_is_gone_in_time(
    run: Run, settings: Any, logged: list[str]
) -> None:
    settings.REALTIME_SEND_TIMEOUT = 0.3

    class Here(Room):
        pass

    async def body() -> None:
        async with served(Here) as (address, layer):
            loop = asyncio.get_running_loop()
            flooder = socket.create_connection((address.host, address.port))
            flooder.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            flooder.setblocking(False)
            await loop.sock_sendall(flooder, upgrade(b"/"))
            await until(lambda: Here.live)
            frames = frame(1, b"x" * 60_000) * 1_000
            flood = asyncio.create_task(loop.sock_sendall(flooder, frames))
            other = await Client.open(address.port)
            connection = Here.live[0].connection
            largest = 0

            def is_gone() -> bool:
                nonlocal largest
                largest = max(largest, connection.waiting)
                return bool(Here.codes)

            await until(is_gone, 20)
            other.send("alive")
            assert await other.until_heard(1) == ["alive"]
            assert Here.codes == [4508]
            assert largest <= settings.REALTIME_OUTBOX_BYTES + 60_004
            assert len(layer.groups["all"]) == 1
            flood.cancel()
            await asyncio.wait([flood])
            flooder.close()
            other.vanish()
            await gone(address, layer)

    run(body())
    assert len(logged) == 1


STOPPED = """
import socket, sys, time
from tests.raw import upgrade
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
connection.sendall(upgrade(b"/"))
print("connected", flush=True)
while connection.recv(65536):
    pass
"""


@contextlib.contextmanager
def reader_process(port: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", STOPPED, str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_a_stopped_reader_among_100_delays_nobody_and_is_gone_in_time(
    run: Run, settings: Any, logged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    settings.REALTIME_SEND_TIMEOUT = 1.0

    class Here(Room):
        pass

    async def body() -> tuple[float, float]:
        Here.live.clear()
        Here.codes.clear()
        async with served(Here) as (address, layer):
            loop = asyncio.get_running_loop()
            clients = [await Client.open(address.port) for _ in range(99)]
            with reader_process(address.port) as process:
                await until(lambda: len(Here.live) == 100)
                connection = Here.live[-1].connection
                before = await measure(layer, clients, lambda rounds: rounds == 150)
                process.send_signal(signal.SIGSTOP)
                began = loop.time()
                during = await measure(layer, clients, lambda rounds: bool(Here.codes))
                took = loop.time() - began
            assert Here.codes == [4508]
            assert connection.waiting == 0
            assert took < 20, "the kernel's own buffers, then the time limit"
            for client in clients:
                client.vanish()
            await gone(address, layer, 5)
            return before, during

    for attempt in range(3):  # a machine that others use, too, is allowed its moods
        before, during = run(body())
        assert len(logged) == attempt + 1
        with capsys.disabled():
            words = f"{before * 1e3:.2f} ms, beside a stopped reader {during * 1e3:.2f} ms"
            sys.stdout.write(f"\np99 of a broadcast to 99: {words}\n")
        if during < 2 * before + 0.005:
            return
    pytest.fail("a stopped reader delays the others")


async def measure(
    layer: InMemoryChannelLayer,
    clients: list[Client],
    is_over: Callable[[int], bool],
) -> float:
    """The 99th percentile of the time from a broadcast until the last of `clients` has it."""
    times = []
    for client in clients:
        client.heard.clear()
    rounds = 0
    while not is_over(rounds):
        rounds += 1
        assert rounds < 5_000
        began = time.perf_counter()
        await layer.group_send("all", message("x" * 4_000))
        while any(len(client.heard) < rounds for client in clients):  # noqa: ASYNC110
            await asyncio.sleep(0)
        times.append(time.perf_counter() - began)
    return statistics.quantiles(times, n=100)[98]


def test_a_half_open_connection_is_noticed_by_the_pings(run: Run) -> None:
    class Here(Room):
        pass

    async def body() -> None:
        options = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.1}
        async with served(Here, **options) as (address, layer):
            client = await Client.open(address.port)
            client.transport.pause_reading()  # it answers nothing, and its TCP stays
            await until(lambda: Here.codes, 2)
            assert layer.groups == {}
            client.vanish()
            await gone(address, layer)

    run(body())


# Other servers, by the plain way. They are no dependency of the tests: install daphne or hypercorn
# to run these.

PROJECT = """
    import os
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    import django
    django.setup()
    from channels.routing import ProtocolTypeRouter
    from django.core.asgi import get_asgi_application
    from realtime.consumers import AsyncWebsocketConsumer

    class Room(AsyncWebsocketConsumer):
        groups = ["all"]
        async def receive(self, text_data=None, bytes_data=None):
            if text_data == "crash":
                raise RuntimeError("a bug of ours")
            elif text_data == "close":
                await self.close(4001, "enough")
            elif text_data and text_data.startswith("all"):
                message = {"type": "websocket.send", "text": text_data}
                await self.channel_layer.group_send("all", message)
            elif text_data == "count":
                await self.send(text_data=str(len(self.channel_layer.groups["all"])))
            else:
                await self.send(text_data=text_data, bytes_data=bytes_data)

    application = ProtocolTypeRouter(
        {"http": get_asgi_application(), "websocket": Room.as_asgi()}
    )
"""
SERVERS = {
    "daphne": ["-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "other_server:application"],
    "hypercorn": ["-m", "hypercorn", "-b", "127.0.0.1:{port}", "other_server:application"],
}


@pytest.mark.parametrize("name", SERVERS)
async def test_another_server_echoes_broadcasts_and_closes(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / "other_server.py").write_text(textwrap.dedent(PROJECT))
    port = free_port()
    log = tmp_path / "log"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(part.format(port=port) for part in SERVERS[name]),
            cwd=ROOT,
            env=variables({"PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}),
            stdout=output,
            stderr=output,
        )
    try:
        await converse(f"ws://127.0.0.1:{port}/", name)
    finally:
        process.terminate()
        await process.wait()
    said = log.read_text()
    assert said.count("Traceback") == 1, said
    assert "a bug of ours" in said
    assert "never retrieved" not in said
    assert "destroyed" not in said


async def converse(url: str, name: str) -> None:
    one, two = await connected(url), await connected(url)
    for payload in ("text", b"\x00\xff", "é" * 1_000):
        await one.send(payload)
        assert await one.recv() == payload
    for number in range(100):
        await one.send(f"all {number}")
    for client in (one, two):
        assert [await client.recv() for _ in range(100)] == [f"all {n}" for n in range(100)]
    assert await ended(two, "close") == (4001, "" if name == "daphne" else "enough")
    await one.send("count")
    assert await one.recv() == "1"
    # daphne's library sends no code between 1001 and 2999.
    code, _ = await ended(one, "crash")
    assert code == (1000 if name == "daphne" else 1011)


async def connected(url: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            try:
                return await websocket(url)
            except OSError:
                await asyncio.sleep(0.1)


async def ended(client: Any, text: str) -> tuple[int, str]:
    await client.send(text)
    with pytest.raises(ConnectionClosed):
        async with asyncio.timeout(10):
            await client.recv()
    return client.close_code, client.close_reason
