"""Rooms on a real server, with many clients, bad networks and people who type."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

from websockets.exceptions import ConnectionClosed

from realtime import publish, roster
from realtime.hub import serve_here
from realtime.testing import ServerAddress, serving
from tests import peers
from tests.wire import Client, View, joined, opened, until

IS_LONG = bool(os.environ.get("LONG_TESTS"))
CLIENTS, SECONDS = 200, 120 if IS_LONG else 4
HISTORY = 40


async def told(*clients: Client) -> None:
    """Until the room has said all that has changed, and these have heard it."""
    await until(lambda: not serve_here().rooms["kitchen"]._announcer._diffs)
    await asyncio.gather(*(client.settle() for client in clients))


# Two hundred who come and go.


class Guest:
    """Comes and goes at random, and goes on each time where it was."""

    def __init__(self, server: ServerAddress, number: int) -> None:
        self.server = server
        self.random = random.Random(number)  # the same story in every run
        self.id = f"guest-{number}"
        self.view = View()
        self.recoveries = {True: 0, False: 0}

    async def live(self, over: asyncio.Event) -> None:
        await asyncio.sleep(self.random.uniform(0, 1))
        while not over.is_set():
            with contextlib.suppress(ConnectionClosed):
                await self.stay(self.random.uniform(0.1, 2))
            self.view.lost()
            await asyncio.sleep(self.random.choice([0, 0.1, 0.5, 2.5]))

    async def stay(self, seconds: float) -> None:
        async with self.connected() as client:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.take_part(client)
            how = self.random.choice(["vanish", "reload", "close", "leave"])
            if how == "vanish":
                client.vanish()
            elif how == "leave":
                await client.send("leave")
            else:
                await client.leave(1001 if how == "reload" else 1000)

    async def take_part(self, client: Client) -> None:
        if self.random.random() < 0.3:
            await client.send("state", state={"mood": self.random.randint(0, 9)})
        if self.random.random() < 0.3:
            await client.send("signal", data={"typing": True})
        while True:
            await client.frame()

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Client]:
        """In the room; checks that it got all that the ring still held."""
        came_back, before = bool(self.view.epoch), self.view.offset
        async with joined(self.server, view=self.view, client=self.id, name=self.id) as client:
            if came_back:
                recovered = client.welcome["offset"] - before <= HISTORY
                assert client.welcome["recovered"] is recovered
                self.recoveries[recovered] += 1
            yield client


async def write(over: asyncio.Event) -> int:
    """Numbered messages, until it is over; returns how many."""
    number = 0
    while not over.is_set():
        number += 1
        publish("kitchen", number)
        await asyncio.sleep(0.015)
    return number


async def test_two_hundred_come_and_go_while_a_writer_speaks(settings: Any) -> None:
    settings.REALTIME_HISTORY_SIZE = HISTORY
    from app import application

    async with serving(application) as server, contextlib.AsyncExitStack() as stack:
        over = asyncio.Event()
        guests = [Guest(server, number) for number in range(CLIENTS)]
        lives = [asyncio.create_task(guest.live(over)) for guest in guests]
        writing = asyncio.create_task(write(over))
        await asyncio.sleep(SECONDS)  # of their life: they do not wait for anything of ours
        # A busy machine lets them live more slowly.
        await peers.until(lambda: sum(guest.recoveries[True] for guest in guests) > CLIENTS, 60)
        over.set()
        await asyncio.gather(*lives)
        written = await writing
        for _ in range(HISTORY + 1):  # while all are away, and more than the ring holds
            written += 1
            publish("kitchen", written)
        clients = [await stack.enter_async_context(guest.connected()) for guest in guests]
        await told(*clients)
        shown = {m.id: (m.name, m.connections, m.state, m.away) for m in roster("kitchen")}
        assert len(shown) == CLIENTS
        for guest in guests:
            assert {
                m["id"]: (m["name"], m["connections"], m["state"], m["away"])
                for m in guest.view.members.values()
            } == shown
            assert guest.view.offset == written
            assert all(offset == data for (_, offset), data in guest.view.messages.items())
            assert guest.view.resyncs == 0  # over TCP nothing gets lost without a close
    assert sum(guest.recoveries[True] for guest in guests) > CLIENTS
    assert sum(guest.recoveries[False] for guest in guests) >= CLIENTS
    assert serve_here().connections == 0


# A network that is pulled.


class Cable:
    """A TCP connection to the server that can be pulled: both ends are up and hear nothing."""

    def __init__(self, server: ServerAddress) -> None:
        self.server = server
        self.port = 0
        self._plugged = asyncio.Event()
        self._plugged.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def pull(self) -> None:
        self._plugged.clear()

    def plug(self) -> None:
        self._plugged.set()

    def ws(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[Cable]:
        listener = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            listener.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: Any, writer: Any) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._tasks.add(asyncio.create_task(self._forward(source, sink)))

    async def _forward(self, source: Any, sink: Any) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65_536):
                    await self._plugged.wait()
                    sink.write(data)
                await self._plugged.wait()
        finally:
            sink.close()


async def test_a_network_that_is_pulled_shows_away_and_loses_nothing() -> None:
    from app import application

    async with (
        serving(application, ws_ping_interval=0.2, ws_ping_timeout=0.2) as server,
        Cable(server).run() as cable,
        joined(server) as witness,
    ):
        view = View()
        through = ServerAddress("127.0.0.1", cable.port, server.server)
        async with joined(through, view=view, client="c", name="Ada") as client:
            cable.pull()
            await client.send("message", data="into the void", ref=1)
            while not witness.view.members.get(view.member, {}).get("away"):
                await witness.next("presence")
            for n in range(10):
                publish("kitchen", n)
            cable.plug()
            client.vanish()
        async with joined(through, view=view, client="c", name="Ada") as client:
            assert view.recovered == [None, True]
            await client.send("message", data="into the void", ref=1)
            await client.next("message")
            await told(witness)
    said = [*range(10), "into the void"]
    assert list(view.messages.values()) == list(witness.view.messages.values()) == said
    assert (witness.view.joined, witness.view.left) == ([view.member], [])


async def test_what_was_on_its_way_when_the_network_was_pulled_is_not_said_twice(
    server: ServerAddress,
) -> None:
    async with Cable(server).run() as cable, joined(server) as witness:
        view = View()
        through = ServerAddress("127.0.0.1", cable.port, server.server)
        async with joined(through, view=view, client="c") as lost:
            cable.pull()
            await lost.send("message", data="once", ref=1)
            view.lost()  # its page has given it up, though the system has not
            async with joined(server, view=view, client="c") as client:
                await client.send("message", data="once", ref=1)
                await client.next("message")
                lost.view = View()
                cable.plug()
                assert (await lost.next("ack"))["offset"] == 1
                await told(witness)
    assert list(witness.view.messages.values()) == ["once"]
    assert len(witness.view.joined) == 1


# People who type.


async def test_two_people_chat_from_a_terminal(server: ServerAddress) -> None:
    url = server.ws("/ws/rooms/kitchen")
    async with opened(url) as one, opened(url) as two:
        name = (await one.frame())["members"][0]["name"]
        await two.frame()
        await one.say('{"type":"message","data":"hi"}')
        for person in (one, two):
            message = await person.next("message")
            assert (message["name"], message["data"]) == (name, "hi")
        await two.say(' { "data" : {"text": "ho"}, "type" : "message" } ')
        assert (await one.next("message"))["data"] == {"text": "ho"}
        await two.say("ho?")
        answer = await two.next("error")
        assert re.search("Send one JSON object", answer["detail"])


class Terminal:
    """`python -m websockets URL`: a person types lines, and reads what comes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin
        assert process.stdout
        self.process, self.stdin, self.stdout = process, process.stdin, process.stdout

    def type(self, line: str) -> None:
        self.stdin.write(f"{line}\n".encode())

    async def reads(self, words: str) -> str:
        """The first line with these words, without what moves the cursor."""
        async with asyncio.timeout(20):
            while line := await self.stdout.readline():
                if words in (text := re.sub(r"\x1b(?:\[[\d;]*\w|\d|.)", "", line.decode())):
                    return text.strip()
        raise AssertionError(f"it has ended without {words!r}")


@contextlib.asynccontextmanager
async def terminal(url: str) -> AsyncIterator[Terminal]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "websockets", url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Terminal(process)
    finally:
        process.terminate()
        await process.communicate()


async def test_two_people_chat_with_a_client_of_no_making_of_ours(server: ServerAddress) -> None:
    url = server.ws("/ws/rooms/kitchen/")
    async with terminal(f"{url}?name=Ada") as ada, terminal(f"{url}?name=Bob") as bob:
        for person in (ada, bob):
            await person.reads('"type":"welcome"')
        ada.type('{"type":"message","data":"hi"}')
        for person in (ada, bob):
            line = await person.reads('"type":"message"')
            assert '"name":"Ada","data":"hi"' in line
        bob.type("hello?")
        assert "Send one JSON object" in await bob.reads('"type":"error"')
        bob.type('{"type":"message","data":"ho"}')
        assert '"name":"Bob","data":"ho"' in await ada.reads('"type":"message"')


async def test_a_burst_of_joins_on_real_sockets_has_everybody_see_everybody(
    server: ServerAddress,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        coming = [stack.enter_async_context(joined(server)) for _ in range(50)]
        seats = await asyncio.gather(*coming)
        await told(*seats)
        ids = {member.id for member in roster("kitchen")}
        assert all(set(seat.view.members) == ids for seat in seats)
        assert len(ids) == 50
