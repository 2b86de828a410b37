"""The pictures of the README, from the real pages: `python -m tests.pictures`.

With a folder, every page as phone, laptop and 4K screen, light and dark, empty, full and offline,
to be looked at: `python -m tests.pictures /tmp/pictures`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from playwright.async_api import Browser, Page, async_playwright
from websockets.asyncio.client import ClientConnection, connect

from tests.browsers import CHROMIUM, COMMAND, FLAGS
from tests.processes import ROOT, Process, running

FOLDER = ROOT / "docs/pictures"

# Where the pages seem to be, so that no picture shows the network of whoever made it.
ADDRESS = "192.168.0.7:8000"

# Width, height and pixels for each of them.
SCREENS = {
    "phone": (390, 844, 2),
    "laptop": (1366, 768, 1),
    "wall": (1920, 1080, 2),
    "wide": (3840, 2160, 1),
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

# Who of the crowd says what.
TALK = [
    (0, "Is the kettle on?"),
    (1, "In two minutes. It is 21.5 °C in here, says the board."),
    (2, "I am on the train. The tunnel took me out for 8 seconds, and I have missed nothing."),
    (0, "We saw you away, and back. Biscuits?"),
    (3, "Да! Yes! Sí!"),
    (1, "Tea is ready."),
]
NAMES = ["Ada", "Grace", "Linus", "Margaret", "Дмитрий"]
ENVIRONMENT = {
    "REALTIME_RATE_LIMIT": "1000",
    "REALTIME_RATE_BURST": "1000",
    "REALTIME_GRACE": "0",
    "REALTIME_GRACE_RELOAD": "0",
}


async def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as logs, contextlib.ExitStack() as stack:
        process = stack.enter_context(running(*COMMAND, folder=Path(logs), env=ENVIRONMENT))
        async with async_playwright() as playwright:
            rules = f"--host-resolver-rules=MAP {ADDRESS} 127.0.0.1:{process.port}"
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=[*FLAGS, rules, "--font-render-hinting=none"]
            )
            await (look(browser, process, folder) if folder else readme(browser, process))
            await browser.close()


async def readme(browser: Browser, process: Process) -> None:
    async with crowd(process, "kitchen", 4) as members, crowd(process, "greenhouse", 1) as sensors:
        await talk(members)
        await measure(sensors[0], 60)
        for scheme in SCHEMES:
            room = await opened(browser, "/rooms/kitchen/?name=Ada", (1100, 560, 1), scheme)
            await send(members[0], {"typing": True}, kind="signal")
            await room.wait_for_timeout(300)
            await keep(room, FOLDER / f"room-{scheme}.png")
            board = await opened(browser, "/board/greenhouse/?join", (1100, 560, 1), scheme)
            await board.wait_for_timeout(3500)  # until the buttons hide
            await keep(board, FOLDER / f"board-{scheme}.png")
            for page in (room, board):
                await page.context.close()


async def look(browser: Browser, process: Process, folder: Path) -> None:
    async with crowd(process, "kitchen", 3) as few, crowd(process, "hall", 199):
        await talk(few)
        await measure(few[0], 60)
        paths = {
            "start": "/",
            "echo": "/echo/",
            "login": "/accounts/login/",
            "examples": "/examples/",
            "operator": "/operator/",
            "missing": "/nothing/",
            "room-0": "/rooms/empty/",
            "room-3": "/rooms/kitchen/",
            "room-200": "/rooms/hall/",
            "board-0": "/board/empty/",
            "board-3": "/board/kitchen/",
            "board-join": "/board/kitchen/?join",
        }
        stay: dict[Path, Page] = {}
        for scheme in SCHEMES:
            for screen, size in SCREENS.items():
                for name, path in paths.items():
                    page = await opened(browser, path, size, scheme)
                    is_whole = not name.startswith(("room", "board"))
                    await keep(page, folder / f"{name}-{screen}-{scheme}.png", full=is_whole)
                    if name == "board-3" or (name in ("room-3", "echo") and scheme == "light"):
                        stay[folder / f"{name}-{screen}-{scheme}-offline.png"] = page
                    else:
                        await page.context.close()
        process.popen.send_signal(signal.SIGKILL)
        await asyncio.sleep(4)  # until they say how long they are offline
        for file, page in stay.items():
            await keep(page, file)


async def opened(
    browser: Browser, path: str, size: tuple[int, int, float], scheme: Literal["light", "dark"]
) -> Page:
    """The page, once it shows what it will show."""
    width, height, scale = size
    context = await browser.new_context(
        base_url=f"http://{ADDRESS}",
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    await page.goto(path)
    await page.wait_for_timeout(500)
    return page


async def keep(page: Page, file: Path, *, full: bool = False) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=file, full_page=full)
    print(file)  # noqa: T201 (a command's output)


@contextlib.asynccontextmanager
async def crowd(process: Process, room: str, size: int) -> AsyncIterator[list[ClientConnection]]:
    """Members of a room, in it as long as the block runs."""
    async with contextlib.AsyncExitStack() as stack:
        names = (NAMES + [f"Guest {n}" for n in range(size)])[1 : size + 1]
        yield [
            await stack.enter_async_context(
                connect(process.ws(f"/ws/rooms/{room}/?name={quote(name)}"), max_queue=None)
            )
            for name in names
        ]


async def talk(members: list[ClientConnection]) -> None:
    for who, text in TALK:
        if who < len(members):
            await send(members[who], {"text": text})
            await asyncio.sleep(0.05)  # in this order: each has a connection of its own


async def measure(member: ClientConnection, count: int) -> None:
    """Numbers as of sensors: a day, and earth that dries until somebody waters it."""
    for n in range(count):
        day = math.sin(n / 9)
        values = {"air °C": 21.5 + 4 * day, "humidity %": 55 - 9 * day, "soil %": 62 - n % 23}
        await send(member, {name: round(value, 1) for name, value in values.items()})
    await send(member, {"door open": False})


async def send(member: ClientConnection, data: object, *, kind: str = "message") -> None:
    await member.send(json.dumps({"type": kind, "data": data}))


if __name__ == "__main__":
    asyncio.run(main())
