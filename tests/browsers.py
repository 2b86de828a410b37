"""The system's Chromium: where it is, how it is started, when its tests are skipped, and visits."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

from tests.processes import Process

Opener = Callable[..., Awaitable[Page]]

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

# The server that a browser opens.
COMMAND = ["-m", "uvicorn", "app:application", "--port", "{port}"]

# Headless as root, and silent: Chromium asks its makers' servers many things when nobody says no.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # A name on plain http, as a screen on a wall has it.
    "--host-resolver-rules=MAP kiosk.local 127.0.0.1",
]

# For a module of such tests.
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("CI") != "true",
        reason="no Chromium here: install it to run the browser tests",
    ),
]


@asynccontextmanager
async def visits(
    browser: Browser, process: Process, *, forgiven: str = "\0"
) -> AsyncIterator[Opener]:
    """Opens a path in a browser of its own, or in `context`. No page may complain or ask others.

    A complaint that has `forgiven` in it is none.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    asked: set[str] = set()

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and forgiven not in message.text:
            complaints.append(message.text)

    async def open_page(path: str, context: BrowserContext | None = None) -> Page:
        if context is None:
            context = await browser.new_context(base_url=process.http(""), reduced_motion="reduce")
            contexts.append(context)
        page = await context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        page.on("websocket", lambda socket: asked.add(urlsplit(socket.url).netloc))
        await page.goto(path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []
    assert asked <= {f"127.0.0.1:{process.port}"}
