"""The board's script over nights and refusals: what a screen does when nobody is near."""

from __future__ import annotations

from datetime import datetime

from playwright.async_api import BrowserContext, expect

from tests.browsers import pytestmark  # noqa: F401 (marks this module)

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
