"""The board: how it is laid out, and what a screen does over nights and refusals."""

from __future__ import annotations

from datetime import datetime

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, expect

from tests.browsers import pytestmark  # noqa: F401 (marks this module)
from tests.processes import Process

# Any day without a change of the clocks.
EVENING = datetime(2026, 3, 3, 22, 0)


async def test_a_board_that_ran_all_day_is_loaded_anew_at_night(context: BrowserContext) -> None:
    page = await context.new_page()
    await page.clock.install(time=EVENING.replace(hour=1))
    await page.goto("/board/night/")
    await expect(page.get_by_role("status")).to_have_text("Live")
    await page.evaluate("window.before = true")
    await page.clock.fast_forward("02:59:30")  # too young to be loaded anew
    await page.clock.fast_forward("20:59:00")
    assert await page.evaluate("window.before")
    async with page.expect_event("load"):
        await page.clock.fast_forward("03:01:00")


async def test_no_board_is_loaded_into_an_error_page(context: BrowserContext) -> None:
    page = await context.new_page()
    await page.add_init_script("Math.random = () => 0.5;")  # its minute is the 30th
    await page.clock.install(time=EVENING)
    await page.goto("/board/night/")
    await expect(page.get_by_role("status")).to_have_text("Live")
    await page.evaluate("window.before = true")
    await context.route("**/board/**", lambda route: route.fulfill(status=502))
    for passing in ("29:40:00", "00:01:00"):  # it asks again, so it is still there
        async with page.expect_request(lambda request: not request.is_navigation_request()):
            await page.clock.fast_forward(passing)
    assert await page.evaluate("window.before")


@pytest.mark.parametrize("is_touched", [True, False], ids=["fingers", "keys"])
async def test_a_phone_has_its_buttons_in_one_row_and_no_hints_for_keys(
    browser: Browser, process: Process, is_touched: bool
) -> None:
    context = await browser.new_context(
        base_url=process.http(""),
        viewport={"width": 390, "height": 844},
        is_mobile=is_touched,
        has_touch=is_touched,
    )
    page = await context.new_page()
    await page.goto("/board/kitchen/")
    await expect(page.get_by_role("status")).to_have_text("Live")
    tops = "[...document.querySelectorAll('.top > *')].map(n => n.getBoundingClientRect())"
    middles = await page.evaluate(f"{tops}.map(({{ top, bottom }}) => (top + bottom) / 2)")
    assert len(middles) == 4
    assert max(middles) - min(middles) < 5  # CSS pixels
    await page.set_viewport_size({"width": 1366, "height": 768})
    for key in ("(J)", "(F)"):
        await expect(page.get_by_text(key)).to_be_visible(visible=not is_touched)
    await context.close()


async def test_a_few_numbers_make_no_line_and_more_a_wide_one(
    context: BrowserContext, process: Process
) -> None:
    page = await context.new_page()
    await page.goto("/board/line/")
    await expect(page.get_by_role("status")).to_have_text("Live")
    tile = page.locator(".tile")
    async with httpx.AsyncClient() as client:
        for number in range(1, 6):
            await expect(page.locator(".tile.number")).to_have_count(0)
            url = process.http("/api/rooms/line/messages/")
            await client.post(url, json={"data": {"temp": number}})
            await expect(tile.locator(".value")).to_have_text(str(number))
    line, box = await tile.locator("polyline").bounding_box(), await tile.bounding_box()
    assert line
    assert box
    assert line["width"] > 0.8 * box["width"]
    age = await tile.locator(".age").bounding_box()
    assert age
    assert line["y"] + line["height"] < age["y"] + 3


async def test_no_line_crosses_the_words_of_a_small_tile(
    context: BrowserContext, process: Process
) -> None:
    async with httpx.AsyncClient() as client:
        for number in range(5):
            data = {f"value {n}": number * n for n in range(8)}
            await client.post(process.http("/api/rooms/small/messages/"), json={"data": data})
    page = await context.new_page()
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/board/small/")
    await expect(page.locator(".tile.number")).to_have_count(8)
    line = await page.locator(".tile svg").first.bounding_box()
    age = await page.locator(".tile .age").first.bounding_box()
    assert line
    assert age
    assert line["y"] + line["height"] <= age["y"] + 1
