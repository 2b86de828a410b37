"""Pages that stay open for long: 100,000 messages, and no internet.

The messages come in batches, the next when the pages show the last: what a page is too slow for is
another matter, and ends its connection with 4508.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, CDPSession, Page, Route, expect
from websockets.asyncio.client import ClientConnection, connect

from tests.browsers import CHROMIUM, COMMAND, FLAGS, pytestmark  # noqa: F401 (marks this module)
from tests.processes import Process

MESSAGES, BATCH = 100_000, 4_000

# Bytes that a page may have more in use after them than after the first batches, which warm it up:
# a leak of ten bytes a message would be seen. Measured: less than 0.2 MB.
GROWTH = 1_000_000
NODES = 500

SETTINGS = {"REALTIME_RATE_LIMIT": "1000000", "REALTIME_RATE_BURST": "1000000"}


async def used(devtools: CDPSession) -> int:
    """Bytes of JavaScript that live."""
    await devtools.send("HeapProfiler.collectGarbage")
    heap = await devtools.send("Runtime.getHeapUsage")
    return int(heap["usedSize"])


async def publish(socket: ClientConnection, start: int, end: int) -> None:
    for n in range(start, end):
        data = {"n": n, f"key {n % 50}": n} if n % 2 else {"text": f"message {n}"}
        await socket.send(json.dumps({"type": "message", "data": data}))


async def shown(room: Page, board: Page, last: int) -> None:
    """Until both show the message `last`, which is an odd one."""
    # Behind it may be a note of who came: on a busy machine that is told later.
    newest = room.locator("#log > div").filter(has_text=f"n: {last},")
    await expect(newest).to_have_count(1, timeout=60_000)
    tile = board.locator(".tile").filter(has=board.get_by_role("heading", name="n", exact=True))
    await expect(tile.locator(".value")).to_have_text(f"{last:,}".replace(",", "\u202f"))


@pytest.mark.timeout(600)
async def test_100_000_messages_leave_few_nodes_and_a_flat_memory(
    browser: Browser, process: Process
) -> None:
    context = await browser.new_context(base_url=process.http(""), reduced_motion="reduce")
    room, board = await context.new_page(), await context.new_page()
    await room.goto("/rooms/endurance/")
    await board.goto("/board/endurance/")
    sessions = {page: await context.new_cdp_session(page) for page in (room, board)}
    before: dict[Page, int] = {}
    async with connect(process.ws("/ws/rooms/endurance/?name=Sensor"), max_queue=None) as socket:
        for start in range(0, MESSAGES, BATCH):
            await publish(socket, start, start + BATCH)
            await shown(room, board, start + BATCH - 1)
            if start == 2 * BATCH:
                before = {page: await used(session) for page, session in sessions.items()}
    for page, session in sessions.items():
        assert await page.locator("*").count() <= NODES
        growth = await used(session) - before[page]
        assert growth < GROWTH, page.url
    await context.close()


PAGES = ["/", "/echo/", "/rooms/unplugged/", "/board/unplugged/?join", "/accounts/login/"]
PAGES += ["/admin/login/", "/nothing/"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_without_the_internet_is_complete(
    browser: Browser, process: Process, path: str
) -> None:
    """Every other origin is cut off, names are not resolved; and nothing has asked for one."""
    context = await browser.new_context(base_url=process.http(""))
    others: list[str] = []
    failed: list[str] = []
    complaints: list[str] = []

    async def ours_only(route: Route) -> None:
        if urlsplit(route.request.url).netloc == f"127.0.0.1:{process.port}":
            await route.continue_()
        else:
            others.append(route.request.url)
            await route.abort("internetdisconnected")

    await context.route("**/*", ours_only)
    page = await context.new_page()
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("websocket", lambda socket: others.append(socket.url))
    response = await page.goto(path, wait_until="networkidle")
    assert response
    if path != "/nothing/":
        assert response.status == 200
        assert complaints == []
    if "unplugged" in path:
        await expect(page.get_by_role("status")).to_have_text(re.compile("^(Connected|Live)$"))
    assert await page.evaluate("document.styleSheets.length") > 0
    broken = "[...document.images].filter((image) => !image.naturalWidth).map((image) => image.src)"
    assert await page.evaluate(broken) == []
    assert failed == []
    assert {urlsplit(url).netloc for url in others} <= {f"127.0.0.1:{process.port}"}
    await context.close()
