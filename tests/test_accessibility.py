"""Every page under axe, which knows the rules of WCAG: light and dark, on a phone and a laptop."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from websockets.asyncio.client import connect

from tests.browsers import pytestmark  # noqa: F401 (marks this module)
from tests.processes import Process
from tests.test_pages import CONTRAST

PAGES = {
    "start": "/",
    "echo": "/echo/",
    "login": "/accounts/login/",
    "missing": "/nothing/",
    "room": "/rooms/axe/",
    "alone": "/rooms/nobody/",
    "board": "/board/axe/?join",
    "empty board": "/board/nobody/",
    "operator": "/operator/",
}
SCREENS = {"phone": (390, 844), "laptop": (1366, 768)}


async def settled(page: Page, name: str) -> None:
    """Shows all that it will show: a conversation, tiles, lists that unfold."""
    if name in ("room", "alone"):
        await expect(page.get_by_role("status")).to_have_text("Connected")
    if name == "room":
        await expect(page.locator("#log > div")).not_to_have_count(0)
    if name == "board":
        await expect(page.locator(".tile")).not_to_have_count(0)
    if name == "operator":
        await page.get_by_role("button", name="axe", exact=True).click()
        await expect(page.locator("#members tr")).not_to_have_count(0)
    await page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")


def found(violations: list[dict[str, Any]]) -> list[str]:
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}"
        for each in violations
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
async def test_axe_finds_nothing(
    browser: Browser,
    process: Process,
    screen: str,
    scheme: Literal["light", "dark"],
) -> None:
    width, height = SCREENS[screen]
    context = await browser.new_context(
        base_url=process.http(""),
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": height},
    )
    async with connect(process.ws("/ws/rooms/axe/?name=Ada")) as socket:
        for data in ({"text": "hello"}, {"temp": 21.5}, {"temp": 22}):
            await socket.send(json.dumps({"type": "message", "data": data}))
        for name, path in PAGES.items():
            page = await context.new_page()
            await page.goto(path)
            await settled(page, name)
            result = await Axe().run(page)
            assert found(result.response["violations"]) == [], name
            assert len(result.response["passes"]) > 10
            await page.close()
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_whatever_colour_a_member_gets_their_name_can_be_read(
    browser: Browser,
    process: Process,
    scheme: Literal["light", "dark"],
) -> None:
    context = await browser.new_context(base_url=process.http(""), color_scheme=scheme)
    page = await context.new_page()
    await page.goto("/rooms/hues/")
    await page.evaluate("""() => {
      for (let hue = 0; hue < 360; hue += 3) {
        const name = document.createElement("b");
        name.className = "hued";
        name.style.setProperty("--hue", hue);
        name.textContent = "Ada";
        document.getElementById("log").append(name);
      }
    }""")
    assert await page.evaluate(CONTRAST) == []
    await context.close()
