"""The pages in a real browser: the system's Chromium, without a screen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from tests.browsers import CHROMIUM, COMMAND, FLAGS, pytestmark  # noqa: F401 (marks this module)
from tests.processes import Process, free_port, running

EVERYWHERE = [
    "/",
    "/echo/",
    "/rooms/wide/",
    "/board/wide/",
    "/board/wide/?join",
    "/operator/",
    "/examples/",
    "/examples/chat/",
    "/accounts/login/",
    "/admin/login/",
]


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser, process: Process) -> AsyncIterator[Page]:
    """A page that may not complain, nor ask anybody else for anything."""
    context = await browser.new_context(base_url=process.http(""), reduced_motion="reduce")
    page = await context.new_page()
    complaints: list[str] = []
    asked: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", complain)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    yield page
    await context.close()
    assert complaints == []
    assert {urlsplit(url).netloc for url in asked} == {f"127.0.0.1:{process.port}"}


async def test_the_start_page_leads_to_the_echo(page: Page) -> None:
    await page.goto("/")
    await expect(page.get_by_role("heading", level=1)).to_have_text("It works.")
    await expect(page.get_by_text("/ws/real-time/")).to_be_visible()
    await page.get_by_role("link", name="Try the echo").click()
    await expect(page.get_by_role("status")).to_have_text("Connected")


async def test_what_is_typed_comes_back_with_its_round_trip_time(page: Page) -> None:
    await page.goto("/echo/")
    await expect(page.get_by_role("status")).to_have_text("Connected")
    await page.get_by_label("Message").fill("hello <b>world</b> 👋")
    await page.get_by_role("button", name="Send").click()
    newest = page.get_by_role("listitem").first
    await expect(newest).to_contain_text("hello <b>world</b> 👋")
    await expect(newest.locator("time")).to_have_text(re.compile(r"^\d+(\.\d)? ms$"))
    await expect(page.locator("#last")).to_have_text(re.compile(r"^\d+(\.\d)? ms$"))
    await expect(page.locator("#count")).to_have_text("1")
    await expect(page.get_by_label("Message")).to_have_value("")


async def test_the_echo_needs_no_mouse(page: Page) -> None:
    await page.goto("/")
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent") == "Try the echo":
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Connected")
    await expect(page.get_by_label("Message")).to_be_focused()
    for word in ("one", "two"):
        await page.keyboard.type(word)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("listitem").first).to_contain_text(word)
    await expect(page.locator("#count")).to_have_text("2")


async def test_an_empty_message_comes_back_too(page: Page) -> None:
    await page.goto("/echo/")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("listitem").first).to_contain_text("(empty)")


async def test_each_page_has_one_heading_a_title_and_labels(page: Page) -> None:
    for path in ("/", "/echo/", "/accounts/login/"):
        await page.goto(path)
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        await expect(page).to_have_title(re.compile(r"^\w.* · Real-time Django$"))
        nameless = "[...document.querySelectorAll('input:not([type=hidden])')]"
        assert await page.evaluate(f"{nameless}.every(input => input.labels.length === 1)")


async def test_no_page_is_wider_than_its_screen(page: Page) -> None:
    for path in EVERYWHERE:
        await page.goto(path)
        for width in (320, 390, 1366, 3840):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_text_grows_with_a_screen_on_a_wall(page: Page) -> None:
    size = "parseFloat(getComputedStyle(document.querySelector('.lead')).fontSize)"
    for path in ("/", "/echo/", "/examples/"):
        await page.goto(path)
        found = []
        for width in (390, 1366, 1920, 3840):
            await page.set_viewport_size({"width": width, "height": width * 9 // 16})
            found.append(await page.evaluate(size))
        phone, laptop, desk, wall = found
        assert 17 < phone < laptop < desk < 26
        assert wall > 2 * desk  # as large as on the same screen with 1,920 pixels, or larger


WITH_NAME = """(text) => {
  const name = document.createElement("span");
  name.className = "who";
  name.textContent = text;
  document.querySelector(".account").prepend(name);
}"""


async def test_a_name_of_eight_letters_is_shown_whole(page: Page) -> None:
    for width in (390, 800, 920, 1366):
        await page.set_viewport_size({"width": width, "height": 768})
        await page.goto("/echo/")
        await page.evaluate(WITH_NAME, "margaret")
        who = page.locator(".who")
        assert await who.evaluate("name => name.scrollWidth <= name.clientWidth + 1"), width


async def test_a_long_name_leaves_the_links_their_place(page: Page) -> None:
    for width, height in [(390, 844), (1366, 768), (3840, 2160)]:
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto("/echo/")
        before = await page.locator(".bar").bounding_box()
        await page.evaluate(WITH_NAME, "ada" * 50)
        assert await page.locator(".bar").bounding_box() == before
        await expect(page.get_by_role("link", name="Log in")).to_be_in_viewport(ratio=1)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_the_admin_has_its_style_under_our_policy(page: Page) -> None:
    await page.goto("/admin/login/")
    header = "getComputedStyle(document.getElementById('header')).backgroundColor"
    assert await page.evaluate(header) != "rgba(0, 0, 0, 0)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(
    page: Page, scheme: Literal["light", "dark"]
) -> None:
    await page.emulate_media(color_scheme=scheme)
    for path in ("/", "/echo/", "/accounts/login/"):
        await page.goto(path)
        pale = await page.evaluate(CONTRAST)
        assert pale == [], path


async def test_the_log_in_page_says_what_is_missing(browser: Browser, process: Process) -> None:
    context = await browser.new_context(base_url=process.http(""))
    page = await context.new_page()
    await page.goto("/accounts/login/")
    await page.get_by_label("Username").fill("ada")
    await page.get_by_label("Password").fill("secret")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("No accounts yet")
    await expect(page.get_by_text("python app.py migrate")).to_be_visible()
    await context.close()


async def test_a_page_comes_back_when_the_server_does(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    context = await browser.new_context(base_url=f"http://127.0.0.1:{port}")
    page = await context.new_page()
    with running(*COMMAND, folder=tmp_path, port=port):
        await page.goto("/echo/")
        await expect(page.get_by_role("status")).to_have_text("Connected")
        await page.get_by_label("Message").fill("kept")
    await expect(page.get_by_role("status")).to_contain_text("Not connected")
    await expect(page.get_by_role("button", name="Send")).to_be_disabled()
    await expect(page.get_by_label("Message")).to_have_value("kept")
    with running(*COMMAND, folder=tmp_path, port=port):
        await expect(page.get_by_role("status")).to_have_text("Connected", timeout=15_000)
        await page.get_by_label("Message").press("Enter")
        await expect(page.get_by_role("listitem").first).to_contain_text("kept")
    await context.close()


# The texts whose contrast is below 4.5 : 1, as WCAG 2.2 AA wants it.
CONTRAST = """() => {
  const light = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const css = getComputedStyle(node).backgroundColor;
      if (!css.endsWith(", 0)")) return css;
    }
  };
  const texts = [...document.querySelectorAll("body *")].filter((node) => !node.disabled
    && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()));
  return texts.filter((node) => {
    const [a, b] = [light(getComputedStyle(node).color), light(ground(node))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  }).map((node) => node.outerHTML);
}"""
