"""A server that is stopped, or killed, and started again with a snapshot: as its clients see it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browsers import CHROMIUM
from tests.processes import Process, free_port, running
from tests.test_room_page import (
    BACK_MS,
    SETTINGS,
    lines,
    say,
    status,
    tell,
)
from tests.wire import Client, View, joined

COMMAND = ("app.py", "--host", "127.0.0.1", "--port", "{port}")


class Restarted:
    """One server after the other, at the same port and with the same snapshot."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.port = folder, free_port()
        self.snapshot = folder / "rooms"
        self.environment = {"REALTIME_SNAPSHOT": str(self.snapshot), **environment}
        self._stack = contextlib.ExitStack()
        self.process: Process

    def start(self) -> None:
        self.process = self._stack.enter_context(
            running(*COMMAND, folder=self.folder, port=self.port, env=self.environment)
        )

    def restart(self, how: signal.Signals) -> None:
        self.process.stop(how)
        self.start()

    def close(self) -> None:
        self._stack.close()

    @contextlib.asynccontextmanager
    async def joined(self, room: str = "kitchen", **options: Any) -> AsyncIterator[Client]:
        server: Any = self.process
        async with joined(server, room, **options) as client:
            yield client


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Restarted]:
    server = Restarted(tmp_path)
    server.start()
    yield server
    server.close()


async def said(client: Client, *data: Any) -> None:
    for each in data:
        await client.send("message", data=each)
        await client.next("message")


async def until_saved(server: Restarted) -> None:
    """Until both rooms are in the file, and no mark says that more was said since."""

    def is_saved() -> bool:
        lines = server.snapshot.read_bytes().split(b"\n")
        return lines[1] == b".." and lines[2].count(b'"saved"') + lines[3].count(b'"saved"') == 2

    async with asyncio.timeout(20):
        while not is_saved():  # noqa: ASYNC110 (another process)
            await asyncio.sleep(0.02)


async def test_after_a_stop_nothing_is_lost_and_nothing_doubled(server: Restarted) -> None:
    view = View()
    async with server.joined() as other:
        async with server.joined(view=view, client="ada") as client:
            await said(client, 1, 2)
            client.vanish()
        await said(other, 3, 4)  # while Ada's phone is in a tunnel
    server.restart(signal.SIGTERM)
    async with server.joined(view=view, client="ada") as client:
        await said(client, 5)
        assert view.recovered == [None, True]
        assert list(view.messages.values()) == [1, 2, 3, 4, 5]
        assert view.offset == 5


async def test_what_was_not_acknowledged_before_a_stop_is_not_said_twice(
    server: Restarted,
) -> None:
    view = View()
    async with server.joined() as other, server.joined(view=view, client="ada") as client:
        await client.send("message", data="once", ref="page-1")
        assert (await other.next("message"))["data"] == "once"
        client.vanish()  # with the acknowledgement on its way
    server.restart(signal.SIGTERM)
    async with server.joined(view=view, client="ada") as client:
        await client.send("message", data="once", ref="page-1")
        assert (await client.next("ack"))["offset"] == 1
        await client.settle()
        assert list(view.messages.values()) == ["once"]
        assert view.offset == 1


async def test_after_a_kill_a_quiet_room_goes_on_and_another_says_what_it_lost(
    tmp_path: Path,
) -> None:
    server = Restarted(tmp_path, REALTIME_SNAPSHOT_INTERVAL="3")
    server.start()
    quiet, loud = View(), View()
    with contextlib.closing(server):
        async with (
            server.joined("quiet", view=quiet) as one,
            server.joined("loud", view=loud) as two,
        ):
            await said(one, "saved")
            await said(two, "saved")
            await until_saved(server)
            await said(two, "lost")
            server.process.stop(signal.SIGKILL)
            for view in (quiet, loud):
                view.lost()
        server.start()
        async with server.joined("quiet", view=quiet), server.joined("loud", view=loud):
            assert quiet.recovered == [None, True]
            assert list(quiet.messages.values()) == ["saved"]
            assert loud.recovered == [None, False]
        async with server.joined("loud", history=10) as newcomer:
            assert [each["data"] for each in newcomer.welcome["messages"]] == ["saved"]


async def test_a_damaged_snapshot_does_not_keep_a_server_from_starting(server: Restarted) -> None:
    async with server.joined() as client:
        await said(client, 1)
    server.process.stop()
    whole = server.snapshot.read_bytes()
    server.snapshot.write_bytes(whole[: len(whole) // 2])
    server.start()
    async with server.joined(history=10) as client:
        assert client.welcome["messages"] == []
    assert "it is cut short. It is kept as" in server.process.said()
    assert "Traceback" not in server.process.said()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true",
    reason="no Chromium here: install it to run the browser tests",
)
async def test_a_page_goes_on_after_a_stop_and_shows_each_message_once(
    browser: Any,
    tmp_path: Path,
) -> None:
    server = Restarted(tmp_path, **SETTINGS)
    server.start()
    with contextlib.closing(server):
        context = await browser.new_context(base_url=server.process.http(""))
        page = await context.new_page()
        await page.goto("/rooms/kitchen/?name=Ada")
        await expect(status(page)).to_have_text("Connected")
        await say(page, "before")
        await expect(lines(page).filter(has_text="before")).to_have_count(1)
        server.process.stop(signal.SIGTERM)
        await expect(status(page)).not_to_have_text("Connected")
        server.start()
        await tell(server.process, "kitchen", {"text": "and on"})
        await expect(status(page)).to_have_text("Connected", timeout=BACK_MS)
        await expect(lines(page).filter(has_text="and on")).to_have_count(1)
        await expect(lines(page).filter(has_text="before")).to_have_count(1)
        assert "may be lost" not in await page.locator("#log").inner_text()
        await context.close()
