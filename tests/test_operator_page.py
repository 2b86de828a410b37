"""The operator's page in a real Chromium: what it shows, and what it does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    Locator,
    Page,
    Route,
    expect,
)
from websockets.asyncio.client import ClientConnection, connect

from tests.browsers import COMMAND, Opener, pytestmark, visits  # noqa: F401 (marks this module)
from tests.processes import Process, free_port, running
from tests.test_operator import TOKEN, guarded  # noqa: F401
from tests.test_pages import CONTRAST

SETTINGS = {"REALTIME_GRACE": "0.2", "REALTIME_GRACE_RELOAD": "0.2", "REALTIME_MAX_ROOMS": "2000"}
# No slash in it, for what stands before one is the kind of a room.
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)"
BACK_MS = 20_000

# --- The page -------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module")
async def enter(browser: Browser, process: Process) -> AsyncIterator[Opener]:
    # A refused act is an answer; Chromium calls it an error of loading.
    async with visits(browser, process, forgiven="status of 40") as open_page:

        async def open_operator(path: str = "/operator/") -> Page:
            return await open_page(path)

        yield open_operator


@contextlib.asynccontextmanager
async def member(process: Process, room: str, **query: str) -> AsyncIterator[ClientConnection]:
    asked = "&".join(f"{key}={quote(value)}" for key, value in query.items())
    url = process.ws(f"/ws/rooms/{quote(room, safe='')}/?{asked}")
    async with connect(url, max_queue=None) as socket:
        assert json.loads(await socket.recv())["type"] == "welcome"
        yield socket


def status(page: Page) -> Locator:
    return page.locator("#status")


def screen(page: Page, name: str) -> Locator:
    return page.locator("#screens tr").filter(has_text=name)


def said(page: Page) -> Locator:
    return page.locator("#said")


async def press(place: Page | Locator, name: str, times: int = 1) -> None:
    """Once, or the second time as well: no sooner than somebody who has read the question."""
    if times == 1:
        await place.get_by_role("button", name=name, exact=True).click()
        return
    button = await place.get_by_role("button", name=name, exact=True).element_handle()
    assert button is not None
    await button.click()
    await asyncio.sleep(0.5)  # what comes faster is a double click, and asks again
    await button.click()


async def open_room(page: Page, room: str) -> None:
    await page.get_by_label("Find a room").fill(room)
    await page.get_by_role("button", name=room, exact=True).click()
    await expect(page.locator("#room-heading")).to_have_text(room)


async def test_it_shows_what_goes_on(enter: Opener, process: Process) -> None:
    async with member(process, "kitchen", name="Ada") as ada, member(process, "kitchen"):
        page = await enter()
        await expect(status(page)).to_have_text("Live")
        await open_room(page, "kitchen")
        await ada.send(json.dumps({"type": "state", "state": {"hand": "up"}}))
        row = page.locator("#members tr").filter(has_text="Ada")
        await expect(row.locator(".state")).to_have_text('{"hand":"up"}')
        await expect(page.locator("#members tr")).to_have_count(2)
        await expect(page.locator("#rooms tr .members")).to_have_text("2")
        for _ in range(5):
            await ada.send(json.dumps({"type": "message", "data": "hi"}))
        line = page.locator(".plot").filter(has_text="Delivered a second").locator(".line")
        await expect(line).to_have_attribute("d", re.compile(r"^M.*L"), timeout=15_000)
        memory = page.locator(".plot").filter(has_text="Memory").locator(".now")
        await expect(memory).to_have_text(re.compile(r"\d MB$"))
    await expect(page.locator("#members tr")).to_have_count(0)


async def test_it_publishes_json_and_says_to_how_many(enter: Opener, process: Process) -> None:
    async with member(process, "publish") as socket:
        page = await enter()
        await open_room(page, "publish")
        await page.get_by_label("Publish JSON").fill("hello")
        await press(page, "Publish")
        await expect(said(page)).to_contain_text("This is not JSON")
        await page.get_by_label("Publish JSON").fill('{"temp": [21.5, "é"]}')
        await page.keyboard.press("Control+Enter")
        await expect(said(page)).to_have_text("Published as message 1 to 1 connection.")
        frame: Any = {}
        while frame.get("type") != "message":
            frame = json.loads(await socket.recv())
        assert (frame["member"], frame["data"]) == (None, {"temp": [21.5, "é"]})
        await page.get_by_label("Publish JSON").fill("[" * 70 + "]" * 70)
        await press(page, "Publish")
        await expect(said(page)).to_contain_text("did not work: At most")


async def test_a_room_of_a_kind_is_shown_spoken_in_and_has_no_page_of_ours(
    enter: Opener, process: Process
) -> None:
    address = process.ws("/ws/examples/poll/tea%20%26%20caf%C3%A9/?name=Ada")
    async with member(process, "plain"), connect(address, max_queue=None) as ada:
        page = await enter()
        await open_room(page, "poll/tea & café")
        await expect(page.locator("#members tr")).to_have_count(1)
        await expect(page.get_by_role("link", name="Open its page")).to_be_hidden()
        await expect(page.get_by_role("link", name="Open its board")).to_be_hidden()
        await page.get_by_label("Publish JSON").fill('"closing soon"')
        await press(page, "Publish")
        await expect(said(page)).to_have_text("Published as message 1 to 1 connection.")
        await press(page.locator("#members tr"), "Disconnect", times=2)
        await expect(said(page)).to_have_text("Ada was disconnected (1 connection).")
        await ada.wait_closed()
        assert ada.close_code == 4403
        await open_room(page, "plain")
        await expect(page.get_by_role("link", name="Open its page")).to_be_visible()
        await expect(page.locator("#board-link")).to_have_attribute("href", "/board/plain/")


async def test_a_room_that_the_api_cannot_name_is_no_loss_of_the_server(enter: Opener) -> None:
    page = await enter()
    await expect(status(page)).to_have_text("Live")
    sentence = {"error": {"code": "bad_name", "detail": "A room's kind is not 'Quiz'."}}
    await page.route("**/members/**", lambda route: route.fulfill(status=400, json=sentence))
    listed = {"name": "Quiz/first", "members": 1, "connections": 1, "offset": 0, "kept": 0}

    async def add(route: Route) -> None:
        answer = await route.fetch()
        now = await answer.json()
        now["rooms"]["list"].append(listed)
        await route.fulfill(response=answer, json=now)

    await page.route("**/api/status/**", add)
    await page.get_by_role("button", name="Quiz/first", exact=True).click()
    await expect(page.locator("#members-count")).to_have_text("A room's kind is not 'Quiz'.")
    await expect(status(page)).to_have_text("Live")


async def test_a_member_is_disconnected_by_the_second_press(
    enter: Opener, process: Process
) -> None:
    async with member(process, "kick", name="Ada") as ada, member(process, "kick", name="Bob"):
        page = await enter()
        await open_room(page, "kick")
        row = page.locator("#members tr").filter(has_text="Ada")
        await row.get_by_role("button").dblclick()
        await expect(row.get_by_role("button")).to_have_text("Disconnect?")
        await page.get_by_label("Find a member").focus()
        await expect(row.get_by_role("button")).to_have_text("Disconnect")
        await press(row, "Disconnect", times=2)
        await expect(said(page)).to_have_text("Ada was disconnected (1 connection).")
        await ada.wait_closed()
        assert (ada.close_code, ada.close_reason) == (4403, "The operator disconnected you.")
        await expect(page.locator("#members tr")).to_have_count(1)
        await expect(page.locator("#closes")).to_contain_text("disconnected by the operator")


async def test_a_screen_flashes_its_name(enter: Opener) -> None:
    board, page = await enter("/board/flash/?name=Left"), await enter()
    await press(screen(page, "flash"), "Identify")
    await expect(board.get_by_role("alert")).to_have_text("Left")
    box = await board.get_by_role("alert").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) == (1280, 720)
    await expect(board.get_by_role("alert")).to_have_count(0, timeout=10_000)


async def test_a_message_is_shown_until_it_is_dismissed_or_cleared(enter: Opener) -> None:
    board, page = await enter("/board/words/?name=Wall"), await enter()
    await press(screen(page, "words"), "Message …")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await page.locator("#seconds").select_option("until dismissed")
    await page.keyboard.type("Lunch <b>is</b> ready")
    await page.keyboard.press("Enter")
    await expect(said(page)).to_have_text("Shown on 1 screen.")
    await expect(board.get_by_role("alert").locator("p")).to_have_text("Lunch <b>is</b> ready")
    await board.mouse.move(5, 5)
    await press(board, "Dismiss")
    await expect(board.get_by_role("alert")).to_have_count(0)
    await page.get_by_label("Message", exact=True).fill("Again")
    await page.keyboard.press("Enter")
    await expect(board.get_by_role("alert")).to_be_visible()
    await press(page, "Clear")
    await expect(board.get_by_role("alert")).to_have_count(0)


async def test_a_screen_loads_its_page_again(enter: Opener) -> None:
    board, page = await enter("/board/again/?name=Wall"), await enter()
    await expect(board.locator("#badge")).to_have_text("Live")
    async with board.expect_event("load", timeout=10_000):
        await press(screen(page, "again"), "Reload", times=2)
    await expect(board.locator("#badge")).to_have_text("Live")


async def test_a_screen_obeys_nobody_but_the_server(enter: Opener, process: Process) -> None:
    board = await enter("/board/obey/?name=Wall")
    await expect(board.locator("#badge")).to_have_text("Live")
    await board.evaluate("window.kept = true")
    async with member(process, "obey") as socket:
        for order in ("identify", "message", "reload"):
            data = {"screen": order, "text": "Hello", "member": None}
            await socket.send(json.dumps({"type": "signal", "data": data, "member": None}))
        await socket.send(json.dumps({"type": "message", "data": {"last": 1}}))
        await expect(board.get_by_role("heading", name="last")).to_be_visible()
        await expect(board.get_by_role("alert")).to_have_count(0)
    async with httpx.AsyncClient() as client:  # and what it does not know leaves it as it is
        odd: Any
        for odd in (None, 5, [], {"screen": "explode"}, {"screen": "message", "text": {}}):
            url = process.http("/api/rooms/obey/messages/")
            await client.post(url, json={"data": odd, "volatile": True})
        await client.post(url, json={"data": {"end": 1}})
    await expect(board.get_by_role("heading", name="end")).to_be_visible()
    assert await board.evaluate("window.kept")


async def test_a_screen_that_is_closed_is_missing_first_and_loud(enter: Opener) -> None:
    boards = [await enter(f"/board/missing/?name={name}") for name in ("Left", "Right")]
    page = await enter()
    problems = page.get_by_role("alert")
    row = page.locator("#screens tr").filter(has_text="missing").filter(has_text="Right")
    await press(row, "Expect")
    await expect(row.locator(".state")).to_have_text("here, expected")
    await expect(page.get_by_text("REALTIME_SNAPSHOT")).to_be_visible()
    await expect(problems).not_to_contain_text("missing")
    await boards[1].close()
    await expect(problems).to_contain_text(
        re.compile(r"Right in missing is missing since \d+:\d\d.* \d+ s")
    )
    await expect(page.locator("#screens tr").first.locator(".screen")).to_have_text("Right")
    await expect(row.locator(".state")).to_have_text(re.compile("^missing for"))
    await expect(row.get_by_role("button", name="Identify")).to_be_disabled()
    await press(problems, "Forget it", times=2)
    await expect(problems).not_to_contain_text("Right")
    await expect(row).to_have_count(0)


async def test_all_screens_are_told_at_once(enter: Opener) -> None:
    boards = [await enter(f"/board/all{number}/?name=Screen {number}") for number in range(2)]
    page = await enter()
    await expect(page.locator("#screens tr").filter(has_text="all1")).to_have_count(1)
    await press(page, "Identify all")
    for number, board in enumerate(boards):
        await expect(board.get_by_role("alert")).to_have_text(f"Screen {number}")
    await page.get_by_label("Message", exact=True).fill("To all")
    await press(page, "Show")
    for board in boards:
        await expect(board.get_by_role("alert").locator("p")).to_have_text("To all")


async def test_a_message_for_one_screen_that_goes_away_does_not_go_to_all(enter: Opener) -> None:
    other = await enter("/board/stays/?name=Other")
    gone, page = await enter("/board/goes/?name=Gone"), await enter()
    await press(screen(page, "goes"), "Message …")
    await page.keyboard.type("For one")
    await gone.close()
    await expect(screen(page, "goes")).to_have_count(0)
    await page.keyboard.press("Enter")
    await expect(said(page)).to_contain_text("did not work")
    await expect(page.get_by_label("Message", exact=True)).to_have_value("For one")
    await expect(other.get_by_role("alert")).to_have_count(0)


async def test_hostile_names_and_states_are_text(enter: Opener, process: Process) -> None:
    async with member(process, HOSTILE, name=HOSTILE) as socket:
        state = {"screen": True, HOSTILE: HOSTILE, "__proto__": {"x": 1}}
        await socket.send(json.dumps({"type": "state", "state": state}))
        page = await enter()
        await open_room(page, HOSTILE)
        await expect(page.locator("#members .state").first).to_contain_text("onerror")
        await press(screen(page, "onerror"), "Expect")
        await expect(screen(page, "onerror")).to_contain_text("Forget")  # the server has heard it
    await expect(page.get_by_role("alert")).to_contain_text("onerror")
    main = page.locator("main")
    assert await main.locator("img, script, b:not(.now):not(.subject)").count() == 0
    await press(page.get_by_role("alert"), "Forget it", times=2)


async def test_a_server_that_was_killed_is_found_again(
    browser: Browser,
    tmp_path: Path,
) -> None:
    port = free_port()
    context = await browser.new_context(base_url=f"http://127.0.0.1:{port}")
    page = await context.new_page()
    with running(*COMMAND, folder=tmp_path, port=port, env=SETTINGS) as process:
        async with member(process, "kitchen"):
            await page.goto("/operator/")
            await open_room(page, "kitchen")
            await page.get_by_label("Publish JSON").fill('{"kept": true}')
            await expect(page.locator("#members tr")).to_have_count(1)
            process.stop(signal.SIGKILL)
    await expect(status(page)).to_contain_text(re.compile(r"Offline since \d+:\d\d"))
    await expect(page.locator("#members tr")).to_have_count(1)
    with running(*COMMAND, folder=tmp_path, port=port, env=SETTINGS):
        await expect(status(page)).to_have_text("Live", timeout=BACK_MS)
        await expect(page.get_by_label("Publish JSON")).to_have_value('{"kept": true}')
        await expect(page.get_by_text("Nobody is in it")).to_be_visible()
    await context.close()


async def test_expected_screens_are_missed_after_a_restart_too(
    browser: Browser,
    tmp_path: Path,
) -> None:
    port = free_port()
    env = SETTINGS | {"REALTIME_SNAPSHOT": str(tmp_path / "rooms.snapshot")}
    context = await browser.new_context(base_url=f"http://127.0.0.1:{port}")
    page, board = await context.new_page(), await context.new_page()
    with running(*COMMAND, folder=tmp_path, port=port, env=env) as process:
        await page.goto("/operator/")
        await board.goto("/board/kept/?name=Left")
        await press(screen(page, "Left"), "Expect")
        await expect(screen(page, "Left").locator(".state")).to_have_text("here, expected")
        await expect(page.get_by_text("REALTIME_SNAPSHOT")).to_be_hidden()
        assert process.stop() == 0
    await board.close()
    with running(*COMMAND, folder=tmp_path, port=port, env=env):
        await expect(page.get_by_role("alert")).to_contain_text("Left", timeout=BACK_MS)
        board = await context.new_page()
        await board.goto("/board/kept/?name=Left")
        await expect(page.get_by_role("alert")).not_to_contain_text("Left")
        await expect(screen(page, "Left").locator(".state")).to_have_text("here, expected")
    await context.close()


async def test_who_is_not_let_in_any_more_is_told(
    browser: Browser,
    guarded: Process,  # noqa: F811
) -> None:
    context = await browser.new_context(base_url=guarded.http(""))
    page = await context.new_page()
    await page.goto("/operator/")
    await page.get_by_label("The token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(status(page)).to_have_text("Live")
    await press(page, "Identify all")  # by the cookie, with the page's CSRF token
    await expect(said(page)).to_have_text("Identified: 0 screens.")
    await context.clear_cookies()
    await expect(status(page)).to_contain_text("Not allowed any more, reload this page")
    await context.close()


async def test_two_hundred_rooms_and_members_stay_usable(enter: Opener, process: Process) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for number in range(230):
            await stack.enter_async_context(member(process, "crowded", client=f"c{number}"))
        async with httpx.AsyncClient() as client:
            for number in range(210):
                url = process.http(f"/api/rooms/many {number}/messages/")
                await client.post(url, json={"data": 1})
        page = await enter()
        await expect(page.locator("#rooms tr")).to_have_count(200)
        await expect(page.locator("#rooms-count")).to_have_text(re.compile("^the 200 fullest of"))
        await open_room(page, "crowded")
        # Above the roster's limit members are named here too; the browser shows so many.
        await expect(page.locator("#members tr")).to_have_count(200)
        await expect(page.locator("#members-count")).to_have_text("The first 200 of 230.")
        name = await page.locator("#members .member").nth(150).inner_text()
        await page.get_by_label("Find a member").fill(name)
        await expect(page.locator("#members tr")).to_have_count(1)
        await page.get_by_label("Find a room").fill("many 20")
        await expect(page.locator("#rooms tr")).to_have_count(11)
        await page.get_by_label("Find a room").fill("")
        await page.get_by_label("Find a member").fill("")
        await expect(page.locator("#members tr")).to_have_count(200)
        nodes = await page.locator("*").count()
        async with page.expect_response(re.compile("status")):
            pass
        async with page.expect_response(re.compile("status")):
            pass
        assert await page.locator("*").count() <= nodes + 10 < 5000


# --- For everybody --------------------------------------------------------------------------------


async def test_it_is_never_wider_than_its_screen(enter: Opener, process: Process) -> None:
    long = "w" * 64
    async with member(process, long, name=long) as socket:
        state = {"screen": True, "x" * 500: "y" * 500}
        await socket.send(json.dumps({"type": "state", "state": state}))
        page = await enter()
        await open_room(page, long)
        await expect(screen(page, long)).to_have_count(1)
        await expect(page.locator("#members tr")).to_have_count(1)
        for width, height in [(320, 600), (390, 844), (1366, 768), (3840, 2160)]:
            await page.set_viewport_size({"width": width, "height": height})
            wide = await page.evaluate(
                "[...document.querySelectorAll('main *')].filter(node => !node.closest('.list')"
                " && node.getBoundingClientRect().right > innerWidth + 1).map(n => n.outerHTML)"
            )
            assert wide == [], width
            assert await page.evaluate("document.documentElement.scrollWidth") <= width


async def test_on_a_phone_the_figures_stand_below_each_other(enter: Opener) -> None:
    page = await enter()
    await page.set_viewport_size({"width": 390, "height": 844})
    figures = page.locator("#figures dd")
    await expect(figures).to_have_count(9)
    rights = "nodes => nodes.map(node => Math.round(node.getBoundingClientRect().right))"
    assert len(set(await figures.evaluate_all(rights))) == 1
    digits = "nodes => nodes.map(node => getComputedStyle(node).fontVariantNumeric)"
    assert set(await figures.evaluate_all(digits)) == {"tabular-nums"}
    await page.set_viewport_size({"width": 1366, "height": 768})
    lefts = "nodes => nodes.map(node => Math.round(node.getBoundingClientRect().left))"
    columns = await figures.evaluate_all(lefts)
    assert len(columns) > len(set(columns)) > 2  # a grid


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_stands_out_from_its_ground(
    enter: Opener, process: Process, scheme: Literal["light", "dark"]
) -> None:
    board = await enter(f"/board/contrast-{scheme}/?name=Wall")
    page = await enter()
    await page.emulate_media(color_scheme=scheme)
    await press(screen(page, f"contrast-{scheme}"), "Expect")
    await board.close()
    await expect(page.get_by_role("alert")).to_contain_text("Wall")
    assert await page.evaluate(CONTRAST) == []
    await press(page.get_by_role("alert"), "Forget it", times=2)


async def test_each_field_has_a_label_and_each_button_a_name(enter: Opener) -> None:
    page = await enter()
    await expect(status(page)).to_have_text("Live")
    nameless = "[...document.querySelectorAll('main input:not([type=hidden]), select, textarea')]"
    assert await page.evaluate(f"{nameless}.every(field => field.labels.length === 1)")
    assert await page.evaluate(
        "[...document.querySelectorAll('button')].every(button => button.textContent.trim())"
    )
    await expect(page.get_by_role("heading", level=1)).to_have_count(1)


async def test_it_needs_no_mouse(enter: Opener, process: Process) -> None:
    async with member(process, "keys", name="Ada"):
        page = await enter()
        await page.get_by_label("Find a room").fill("keys")
        await expect(page.locator("#rooms tr")).to_have_count(1)
        for _ in range(2):
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#room-heading")).to_have_text("keys")
        await expect(page.locator("#members tr")).to_have_count(1)
        await expect(page.get_by_role("button", name="keys")).to_be_focused()
