"""What all tests share: a real server in the test's loop, and one as a process of its own."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, async_playwright

from realtime.testing import ServerAddress, serving
from tests.browsers import CHROMIUM, COMMAND, FLAGS
from tests.processes import ROOT, Process, running

# A shell lets what it starts with `&` ignore Ctrl+C, and so would every program started here.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _database_within_reach(django_db_blocker: Any) -> Iterator[None]:
    """Who serves in the test's own process looks after open connections at each request.

    pytest-django would take that for a query, once any test before has used the database.
    """
    with django_db_blocker.unblock():
        yield


@pytest.fixture
async def server() -> AsyncIterator[ServerAddress]:
    """The project's own application on real uvicorn, in this loop."""
    from app import application

    async with serving(application) as address:
        yield address


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_server() -> AsyncIterator[ServerAddress]:
    """The same, one for all tests of a module, none of which changes its state."""
    from app import application

    async with serving(application) as address:
        yield address


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(shared_server: ServerAddress) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the shared server by HTTP."""
    async with httpx.AsyncClient(base_url=shared_server.http("")) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, with the back/forward cache that a person's has."""
    assert CHROMIUM, "no Chromium here, and with CI=true that is a failure"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=FLAGS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        await browser.close()


@pytest.fixture(scope="module")
def process(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Process]:
    """A server process for all tests of a module, with the module's SETTINGS if it has any."""
    env = getattr(request.module, "SETTINGS", {})
    with running(*COMMAND, folder=tmp_path_factory.mktemp("server"), env=env) as process:
        yield process


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser, process: Process) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(base_url=process.http(""))
    yield context
    await context.close()


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The lines that the logger "realtime" gets, which hands nothing on to pytest's own."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("realtime")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a server process: `start("-m", "uvicorn", "app:application", "--port", "{port}")`."""
    with contextlib.ExitStack() as processes:

        def start_process(
            *arguments: str, cwd: Path = ROOT, says: str = "", **environment: str
        ) -> Process:
            process = running(*arguments, folder=tmp_path, cwd=cwd, says=says, env=environment)
            return processes.enter_context(process)

        yield start_process
