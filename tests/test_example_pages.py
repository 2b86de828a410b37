"""The examples' pages in a real Chromium: two browsers, as two people use them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    expect,
)

from tests.browsers import CHROMIUM, COMMAND, FLAGS, Opener, pytestmark, visits  # noqa: F401
from tests.processes import Process, free_port, run, running
from tests.test_pages import CONTRAST

PASSWORD = "correct horse"
HOSTILE = "<img src=x onerror=alert(1)>"
NAMES = ["chat", "gauge", "poll", "buzzer", "cursors", "progress", "toy", "notifications"]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server with two accounts, of which Ada's is the staff's."""
    folder = tmp_path_factory.mktemp("examples")
    changes = {"REALTIME_DATABASE": str(folder / "db.sqlite3")}
    code = (
        "from django.contrib.auth.models import User as U;"
        f"U.objects.create_user('ada', password='{PASSWORD}', is_staff=True);"
        f"U.objects.create_user('bob', password='{PASSWORD}')"
    )
    for command in (["migrate"], ["shell", "-c", code]):
        result = run("app.py", *command, env=changes)
        assert result.returncode == 0, result.stderr
    with running(*COMMAND, folder=folder, env={"REALTIME_GRACE": "1"}) as process:
        yield process
    assert "Traceback" not in process.said()


@pytest_asyncio.fixture(loop_scope="module")
async def enter(browser: Browser, process: Process) -> AsyncIterator[Opener]:
    """Opens an example by its name."""
    async with visits(browser, process) as open_page:

        async def open_example(name: str, context: BrowserContext | None = None) -> Page:
            return await open_page(f"/examples/{name}/", context)

        yield open_example


async def two(enter: Opener, name: str) -> tuple[Page, Page]:
    """Two people's browsers, both connected."""
    pages = await enter(name), await enter(name)
    for page in pages:
        await connected(page)
    return pages


async def connected(page: Page) -> None:
    await expect(page.locator("#status")).to_have_text(re.compile("^(Connected|Live)$"))


async def rename(page: Page, name: str) -> None:
    await page.get_by_label("Your name").fill(name)
    await page.keyboard.press("Enter")


async def test_chat(enter: Opener) -> None:
    ada, bob = await two(enter, "chat")
    await rename(ada, "Ada")
    await expect(bob.locator("#people li").filter(has_text="Ada")).to_have_count(1)
    await ada.get_by_label("Message", exact=True).fill(HOSTILE)
    await ada.keyboard.press("Enter")
    for page in (ada, bob, late := await enter("chat")):
        await expect(page.locator("#lines p").last).to_have_text(f"Ada: {HOSTILE}")
    assert await bob.locator("main img").count() == 0
    await late.get_by_label("Message", exact=True).fill("I am late")
    await late.keyboard.press("Enter")
    await expect(ada.locator("#lines p").last).to_contain_text("I am late")


async def test_gauge(enter: Opener) -> None:
    ada, bob = await two(enter, "gauge")
    for page in (ada, bob):
        meter = page.get_by_role("meter", name="temperature")
        await expect(meter.locator(".value")).to_have_text(re.compile(r"^\d\d\.\d °C$"))
    first = await meter.get_attribute("aria-valuenow")
    await expect(meter).not_to_have_attribute("aria-valuenow", first or "")


async def test_a_gauge_without_its_server_is_not_taken_for_live(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """And when the server is there again, so are the sensor and the gauge, with no hands."""
    port, folder = free_port(), tmp_path_factory.mktemp("gauge")
    context = await browser.new_context(base_url=f"http://127.0.0.1:{port}")
    page = await context.new_page()
    with running(*COMMAND, folder=folder, port=port):
        await page.goto("/examples/gauge/")
        await expect(page.get_by_role("meter").first).to_be_visible()
    await expect(page.locator("#status")).to_contain_text("Not connected")
    await expect(page.locator("#gauges.stale")).to_be_attached()
    meter = page.get_by_role("meter", name="humidity")
    last = await meter.get_attribute("aria-valuenow")
    with running(*COMMAND, folder=folder, port=port):
        await expect(meter).not_to_have_attribute("aria-valuenow", last or "", timeout=20_000)
        await expect(page.locator("#gauges.stale")).not_to_be_attached()
    await context.close()


async def test_poll(enter: Opener) -> None:
    ada, bob = await two(enter, "poll")
    await ada.get_by_role("button", name="Tea").click()
    await expect(bob.get_by_text("1 vote", exact=True)).to_be_visible()
    await bob.get_by_role("button", name="Coffee").press("Enter")
    tab = await enter("poll", ada.context)
    await expect(tab.get_by_role("button", name="Tea", pressed=True)).to_be_visible()
    await tab.get_by_role("button", name="Coffee").click()
    await expect(ada.get_by_role("button", name="Coffee", pressed=True)).to_be_visible()
    await ada.reload()
    for page in (ada, bob, await enter("poll")):
        await expect(page.get_by_text("2 votes", exact=True)).to_be_visible()
        await expect(page.get_by_role("button", name="Coffee").locator("b")).to_have_text("2")
    await expect(ada.get_by_role("button", pressed=True)).to_have_count(1)


async def test_buzzer(enter: Opener) -> None:
    host, bob = await two(enter, "buzzer")
    await rename(host, "Host")
    await rename(bob, "Bob")
    await expect(bob.locator("#me")).to_have_text("Bob")
    await expect(bob.get_by_role("button", name="Buzz!")).to_be_focused()
    await bob.keyboard.press("Space")
    await expect(host.locator("#order li")).to_have_text(["Bob"])
    await host.get_by_role("button", name="Buzz!").click()
    await bob.keyboard.press("Space")
    await bob.reload()
    for page in (host, bob):
        await expect(page.locator("#order li")).to_have_text(["Bob", "Host"])
    await expect(bob.get_by_role("button", name="New round")).to_be_hidden()
    await host.get_by_role("button", name="New round").click()
    await expect(bob.locator("#order li")).to_have_count(0)
    await host.context.close()
    await expect(bob.get_by_role("button", name="New round")).to_be_visible()


async def test_cursors_are_seen_within_the_rate_and_vanish_with_their_owner(enter: Opener) -> None:
    ada, bob = await two(enter, "cursors")
    box = await ada.locator("#field").bounding_box()
    assert box
    cursors = bob.locator(".cursor")
    signals: list[str] = []
    await bob.reload()  # so that the listener below sees its socket
    async with ada.expect_websocket() as socket:
        await ada.reload()
    (await socket.value).on("framesent", lambda frame: signals.append(str(frame)))
    await connected(ada)
    start = await ada.evaluate("performance.now()")
    for step in range(300):
        await ada.mouse.move(box["x"] + step, box["y"] + step / 2)
    await expect(cursors).to_have_count(1)
    await ada.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    await expect(cursors).to_have_attribute("style", re.compile(r"--x: 0\.2[45]\d*; --y: 0\.5"))
    seconds = (await ada.evaluate("performance.now()") - start) / 1000
    sent = [frame for frame in signals if '"signal"' in frame]
    assert 2 <= len(sent) <= 20 * seconds + 1
    await ada.close()
    await expect(cursors).to_have_count(0)


async def test_a_cursor_needs_no_mouse(enter: Opener) -> None:
    ada, bob = await two(enter, "cursors")
    await expect(ada.locator("#field")).to_be_focused()
    await ada.keyboard.press("ArrowRight")
    await expect(bob.locator(".cursor")).to_have_attribute(
        "style", re.compile("--x: 0.54; --y: 0.5")
    )


async def test_progress(enter: Opener) -> None:
    ada, bob = await two(enter, "progress")
    await ada.get_by_role("button", name="Start a job").click()
    await bob.get_by_role("button", name="Start a job").click()
    for page in (ada, bob):
        await expect(page.get_by_role("progressbar")).to_have_count(2)
    await expect(ada.get_by_label("Job 1")).not_to_have_js_property("value", 0)
    await ada.reload()
    await expect(ada.get_by_role("progressbar")).to_have_count(2)
    assert await ada.get_by_label("Job 1").evaluate("bar => bar.value") > 0
    for page in (ada, bob):
        await expect(page.get_by_text("done")).to_have_count(2, timeout=30_000)
    await ada.reload()
    await expect(ada.get_by_text("done").first).to_be_visible()


async def test_toy(enter: Opener) -> None:
    ada, bob = await two(enter, "toy")
    await expect(bob.locator("#field span")).to_have_count(2)
    for key in ("ArrowLeft", "ArrowUp"):
        await ada.keyboard.press(key)
        await asyncio.sleep(0.1)  # a person's pace: the page takes a step each 80 ms
    await expect(bob.locator("#field span").first).to_have_attribute(
        "style", re.compile("--x: 3; --y: 3")
    )
    await ada.get_by_role("button", name="left").click()
    await asyncio.sleep(0.1)
    await ada.get_by_role("button", name="up").click()
    await expect(bob.locator("#news")).to_contain_text("caught it")
    await expect(bob.locator("#people li").first).to_have_text(re.compile(": 1$"))


async def log_in(page: Page, name: str) -> None:
    await page.get_by_role("main").get_by_role("link", name="Log in").click()
    await page.get_by_label("Username").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await connected(page)


async def test_notifications_reach_one_user_on_all_their_devices(enter: Opener) -> None:
    ada, phone, laptop = [await enter("notifications") for _ in range(3)]
    for page, name in ((ada, "ada"), (phone, "bob"), (laptop, "bob")):
        await log_in(page, name)
    await ada.get_by_label("User").fill("bob")
    await ada.get_by_label("Text").fill(HOSTILE)
    await ada.keyboard.press("Enter")
    for page in (phone, laptop):
        await expect(page.locator("#notes li span")).to_have_text([HOSTILE])
        assert await page.locator("main img").count() == 0
    await phone.reload()
    await expect(phone.locator("#notes li")).to_have_count(1)
    await connected(ada)
    await expect(ada.get_by_text("None yet.")).to_be_visible()


# --- All of them ----------------------------------------------------------------------------------


async def fill(page: Page, name: str) -> None:
    """Something to see on the page."""
    if name == "notifications":
        await log_in(page, "ada")
        return
    await connected(page)
    if name == "chat":
        await page.get_by_label("Message", exact=True).fill("w" * 300)
        await page.keyboard.press("Enter")


@pytest.mark.parametrize("name", NAMES)
async def test_a_page_fits_every_screen_and_reader(enter: Opener, name: str) -> None:
    page = await enter(name)
    await fill(page, name)
    await expect(page.get_by_role("heading", level=1)).to_have_count(1)
    for width in (320, 390, 1366, 3840):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme)
        assert await page.evaluate(CONTRAST) == []
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def test_the_start_page_leads_to_every_example(enter: Opener) -> None:
    page = await enter("poll")
    await page.goto("/")
    await page.get_by_role("main").get_by_role("link", name="Examples").click()
    assert await page.locator(".examples a").count() == len(NAMES)
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
