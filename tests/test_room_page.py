"""The pages of rooms in a real Chromium, as people and screens on a wall use them."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import AsyncIterator
from http.cookies import Morsel
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from django.test import AsyncClient
from playwright.async_api import (
    Browser,
    Locator,
    Page,
    expect,
)
from websockets.asyncio.client import connect

from realtime.identity import DEVICE_COOKIE, new_device
from tests.browsers import COMMAND, Opener, pytestmark, visits  # noqa: F401 (marks this module)
from tests.processes import Process, free_port, running
from tests.test_pages import CONTRAST

BACK_MS = 20_000  # a try to connect may wait for 10 s
SETTINGS = {
    "REALTIME_HEARTBEAT": "0.5",
    "REALTIME_GRACE": "1",
    "REALTIME_GRACE_RELOAD": "1",
    "REALTIME_RATE_LIMIT": "100000",
    "REALTIME_RATE_BURST": "100000",
}
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest_asyncio.fixture(loop_scope="module")
async def enter(browser: Browser, process: Process) -> AsyncIterator[Opener]:
    async with visits(browser, process) as open_page:
        yield open_page


def status(page: Page) -> Locator:
    return page.locator("#status")


def people(page: Page) -> Locator:
    return page.locator("#people li")


def lines(page: Page) -> Locator:
    return page.locator("#log > div")


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def rename(page: Page, name: str) -> None:
    await page.get_by_label("Your name").fill(name)
    await page.keyboard.press("Enter")


def room_socket(process: Process, room: str, query: str = "") -> connect:
    return connect(process.ws(f"/ws/rooms/{quote(room)}/?{query}"), max_queue=None)


async def tell(process: Process, room: str, *data: Any) -> None:
    """Messages from somebody who leaves again."""
    async with room_socket(process, room, "name=Sensor") as socket:
        for each in data:
            await socket.send(json.dumps({"type": "message", "data": each, "ref": 1}))
        answers = 0
        while answers < len(data):
            answers += json.loads(await socket.recv())["type"] == "ack"
        await socket.send('{"type": "leave"}')


# --- In a room ------------------------------------------------------------------------------------


async def test_two_browsers_see_each_other_and_talk(enter: Opener) -> None:
    ada, bob = await enter("/rooms/two/?name=Ada"), await enter("/rooms/two/?name=Bob")
    await expect(status(ada)).to_have_text("Connected")
    await expect(people(ada)).to_have_text(["Adayou", "Bob"])
    await expect(people(bob)).to_have_text(["Bobyou", "Ada"])
    await expect(ada.get_by_role("heading", name="2 people are here")).to_be_visible()
    await say(ada, "hello")
    await say(bob, "hello yourself")
    for page in (ada, bob):
        said = lines(page).filter(has_not=page.locator(".note")).filter(has_text="hello")
        await expect(said).to_have_count(2)
        await expect(said.last).to_contain_text("hello yourself")
    await expect(ada.locator("#trip")).to_have_text(re.compile(r"^\d+ ms$"))
    await bob.close()
    await expect(people(ada)).to_have_count(1)
    await expect(lines(ada).last).to_have_text("Bob left.")


async def test_who_comes_later_reads_what_was_said(enter: Opener) -> None:
    ada = await enter("/rooms/later/")
    for text in ("one", "two"):
        await say(ada, text)
    await expect(lines(ada)).to_have_count(2)
    bob = await enter("/rooms/later/")
    await expect(lines(bob)).to_contain_text(["one", "two"])


async def test_three_tabs_are_one_person(enter: Opener) -> None:
    tab = await enter("/rooms/tabs/")
    await expect(tab.get_by_text("You are alone here")).to_be_visible()
    async with tab.context.expect_page() as second:
        await tab.get_by_role("link", name="Open a second tab").click()
    await expect(tab.get_by_text("You are alone here")).to_be_hidden()
    third = await enter("/rooms/tabs/", tab.context)
    await expect(people(third)).to_have_text([re.compile("you, 3 tabs$")])
    await expect(tab.get_by_role("heading", name="1 person is here")).to_be_visible()
    assert (await second.value).url == tab.url
    await third.close()
    await expect(people(tab)).to_have_text([re.compile("you, 2 tabs$")])


async def test_nobody_sees_a_reload(enter: Opener, process: Process) -> None:
    async with room_socket(process, "reload") as socket:
        assert json.loads(await socket.recv())["type"] == "welcome"
        page = await enter("/rooms/reload/")
        await expect(status(page)).to_have_text("Connected")
        await say(page, "before")
        for _ in range(3):
            await page.reload()
            await expect(status(page)).to_have_text("Connected")
        await page.wait_for_timeout(1300)  # longer than the grace of a reload
        await say(page, "after")
        frames = []
        while "after" not in (text := str(await socket.recv())):
            frames.append(json.loads(text))
        changes = [frame for frame in frames if frame["type"] == "presence"]
        assert [frame["joins"] != [] for frame in changes] == [True] + [False] * (len(changes) - 1)
        assert [frame["leaves"] for frame in changes if frame["leaves"]] == []
        assert not any(member["away"] for frame in changes for member in frame["updates"])


async def test_typing_is_seen_and_passes(enter: Opener) -> None:
    ada, bob = await enter("/rooms/typing/?name=Ada"), await enter("/rooms/typing/?name=Bob")
    await expect(people(ada)).to_have_count(2)
    await bob.get_by_label("Message", exact=True).press_sequentially("He")
    await expect(ada.locator("#typing")).to_have_text("Bob is typing …")
    await bob.keyboard.press("Enter")
    await expect(ada.locator("#typing")).to_be_empty()
    await expect(bob.locator("#typing")).to_be_empty()
    await ada.get_by_label("Message", exact=True).press_sequentially("He")
    await expect(bob.locator("#typing")).to_have_text("Ada is typing …")
    await expect(bob.locator("#typing")).to_be_empty(timeout=6000)


async def test_a_name_is_changed_in_place_and_kept(enter: Opener) -> None:
    ada, bob = await enter("/rooms/names/?name=Ada"), await enter("/rooms/names/")
    await rename(bob, "Robert")
    await expect(people(ada)).to_have_text(["Adayou", "Robert"])
    await expect(people(bob).first).to_have_text("Robertyou")
    await say(bob, "it is me")
    await expect(lines(ada).last).to_contain_text("it is me")
    assert await lines(ada).filter(has_text="left").count() == 0
    await bob.goto("/rooms/another/")
    await expect(people(bob)).to_have_text(["Robertyou"])


async def test_a_refused_name_says_why(enter: Opener) -> None:
    page = await enter("/rooms/refused/?name=Ada")
    await expect(people(page)).to_have_count(1)
    await rename(page, "Ada\u202eadA")
    await expect(page.get_by_role("alert")).to_contain_text("RIGHT-TO-LEFT OVERRIDE")
    await expect(page.get_by_label("Your name")).to_have_value("Ada")
    await expect(status(page)).to_have_text("Connected")


async def test_a_taken_name_gets_a_number(enter: Opener) -> None:
    await enter("/rooms/taken/?name=Ada")
    page = await enter("/rooms/taken/?name=ada")
    await expect(people(page).first).to_have_text("ada 2you")
    await expect(page.get_by_label("Your name")).to_have_value("ada 2")


async def test_what_people_write_is_text(enter: Opener, process: Process) -> None:
    page = await enter("/rooms/hostile/")
    board = await enter("/board/hostile/")
    await expect(status(page)).to_have_text("Connected")
    async with room_socket(process, "hostile", f"name={quote(HOSTILE)}") as socket:
        await expect(people(page)).to_have_count(3)
        for data in ({"text": HOSTILE}, HOSTILE, {HOSTILE: HOSTILE}, [HOSTILE]):
            await socket.send(json.dumps({"type": "message", "data": data}))
        await socket.send(json.dumps({"type": "signal", "data": {"typing": True}}))
        await expect(lines(page).filter(has_text="onerror")).to_have_count(4)
        await expect(people(page).filter(has_text="<img")).to_have_count(1)
        await expect(page.locator("#typing")).to_contain_text("<img")
        await expect(board.get_by_text("onerror").first).to_be_visible()
        for each in (page, board):
            assert await each.locator("main img, main script, #log img, .tile img").count() == 0


async def test_odd_data_harms_no_page(enter: Opener, process: Process) -> None:
    page, board = await enter("/rooms/odd/"), await enter("/board/odd/")
    await expect(status(page)).to_have_text("Connected")
    odd = [None, True, 0, -1.5e300, "", [], {}, {"": None}, {"text": 5}, {"__proto__": 1}, [[1]]]
    await tell(process, "odd", *odd, "the last")
    await expect(lines(page).filter(has_text="the last")).to_have_count(1)
    await expect(board.get_by_text("the last")).to_be_visible()


async def test_five_thousand_messages_leave_few_nodes(enter: Opener, process: Process) -> None:
    page = await enter("/rooms/flood/")
    await expect(status(page)).to_have_text("Connected")
    for start in range(0, 5000, 1000):
        await tell(process, "flood", *(f"message {n}" for n in range(start, start + 1000)))
    await expect(lines(page).filter(has_text="message 4999")).to_have_count(1)
    assert await lines(page).count() <= 200
    assert await page.locator("*").count() <= 500
    await expect(page.get_by_text("You are alone here")).to_be_visible()  # it takes some height
    await expect(lines(page).last).to_be_in_viewport(ratio=1)
    await page.locator("#log").evaluate("log => { log.scrollTop = 300; }")
    await page.wait_for_timeout(100)
    await tell(process, "flood", "news")
    await expect(lines(page).filter(has_text="news")).not_to_be_in_viewport()


async def test_in_a_crowd_only_the_number_is_shown(browser: Browser, tmp_path: Path) -> None:
    limit = {"REALTIME_ROSTER_LIMIT": "2", "REALTIME_GRACE": "0"}
    with running(*COMMAND, folder=tmp_path, env=limit) as process:
        context = await browser.new_context(base_url=process.http(""))
        page = await context.new_page()
        await page.goto("/rooms/crowd/")
        async with room_socket(process, "crowd", "name=Bob"):
            await expect(people(page)).to_have_count(2)
            async with room_socket(process, "crowd"), room_socket(process, "crowd"):
                await expect(page.get_by_text("only their number is shown")).to_be_visible()
                await expect(page.get_by_role("heading", name="4 people are here")).to_be_visible()
                await expect(people(page)).to_have_count(0)
        await expect(people(page)).to_have_count(1)
        await say(page, "done")
        await expect(lines(page).last).to_contain_text("done")
        assert await lines(page).filter(has_text="left").count() == 0
        await context.close()


async def test_the_back_button_finds_the_page_as_it_was(browser: Browser, process: Process) -> None:
    """Chromium itself closes the socket of a page that it keeps, and says so on the console."""
    context = await browser.new_context(base_url=process.http(""))
    page = await context.new_page()
    await page.goto("/rooms/back/")
    await expect(status(page)).to_have_text("Connected")
    await page.evaluate("window.kept = true")
    await page.goto("/rooms/elsewhere/")
    await tell(process, "back", "missed")
    await page.go_back(wait_until="commit")
    assert await page.evaluate("window.kept"), "the page was not in the back/forward cache"
    await expect(lines(page).filter(has_text="missed")).to_have_count(1)
    await expect(status(page)).to_have_text("Connected")
    await context.close()


async def test_a_server_that_was_killed_is_found_again(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    contexts = [await browser.new_context(base_url=f"http://127.0.0.1:{port}") for _ in range(2)]
    ada, bob = [await context.new_page() for context in contexts]
    with running(*COMMAND, folder=tmp_path, port=port) as process:
        await ada.goto("/rooms/killed/?name=Ada")
        await bob.goto("/rooms/killed/?name=Bob")
        await expect(people(ada)).to_have_count(2)
        await say(ada, "before")
        await expect(lines(bob).filter(has_text="before")).to_have_count(1)
        process.stop(signal.SIGKILL)
        await expect(status(ada)).to_contain_text("Reconnecting")
        await say(ada, "while away")
        await expect(ada.locator("#waiting")).to_have_text("while away")
    with running(*COMMAND, folder=tmp_path, port=port):
        for page in (ada, bob):
            await expect(status(page)).to_have_text("Connected", timeout=BACK_MS)
            await expect(lines(page).filter(has_text="while away")).to_have_count(1)
            await expect(lines(page).filter(has_text="before")).to_have_count(1)
            await expect(lines(page).filter(has_text="Back after")).to_have_count(1)
            await expect(people(page)).to_have_count(2)
        await expect(ada.locator("#waiting li")).to_have_count(0)
        assert await lines(bob).filter(has_text="joined").count() == 0
    for context in contexts:
        await context.close()


async def test_a_room_may_have_any_name_that_can_be_seen(enter: Opener) -> None:
    page = await enter(f"/rooms/{quote('Кухня 2 & 50% 🍳')}/")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Кухня 2 & 50% 🍳")
    await expect(status(page)).to_have_text("Connected")
    await say(page, "hi")
    await expect(lines(page)).to_have_count(1)


@pytest.mark.parametrize("path", ["rooms", "board"])
@pytest.mark.parametrize(
    ("name", "words"), [("a\u202eb", "U+202E"), ("x" * 65, "64 characters"), (" ", "to see")]
)
async def test_a_name_that_no_room_can_have_is_not_found(
    process: Process, path: str, name: str, words: str
) -> None:
    async with httpx.AsyncClient() as client:
        response = await client.get(process.http(f"/{path}/{quote(name)}/"))
    assert response.status_code == 404
    assert words in response.text


async def test_the_invitation_can_be_copied(enter: Opener) -> None:
    page = await enter("/rooms/invite/")
    await page.get_by_role("button", name="Copy").click()
    await expect(page.locator("#copy")).to_have_text(re.compile("^Cop"))
    await expect(page.get_by_label("Invite with this link")).to_have_value(
        re.compile(r"^http://[\d.]+:\d+/rooms/invite/$")
    )


# --- The cookie by which tabs are one person ------------------------------------------------------


async def cookie(*, device: str = "", secure: bool = False) -> Morsel[str] | None:
    """What a browser that has the cookie `device` is given."""
    client = AsyncClient()
    if device:
        client.cookies[DEVICE_COOKIE] = device
    scheme = {"secure": True} if secure else {}
    response = await client.get("/rooms/lobby/", **scheme)  # type: ignore[arg-type]
    return response.cookies.get(DEVICE_COOKIE)


async def test_a_browser_gets_a_cookie_that_no_script_reads() -> None:
    morsel = await cookie()
    assert morsel is not None
    assert (morsel["httponly"], morsel["samesite"], morsel["secure"]) == (True, "Lax", "")
    assert morsel["max-age"] == 365 * 24 * 3600
    secure = await cookie(secure=True)
    assert secure is not None
    assert secure["secure"]


async def test_a_cookie_is_kept_while_it_is_ours() -> None:
    assert await cookie(device=new_device()) is None
    assert await cookie(device="forged:signature") is not None


# --- On the wall ----------------------------------------------------------------------------------


async def test_the_board_shows_the_latest_numbers_with_a_line(
    enter: Opener, process: Process
) -> None:
    await tell(process, "board", *({"temp": n, "door": n % 2 == 0} for n in range(100)))
    page = await enter("/board/board/")
    temp = page.locator(".tile").filter(has_text="temp")
    await expect(temp.locator(".value")).to_have_text("99")
    await tell(process, "board", {"temp": 1234.567}, "Lunch is ready")
    await expect(temp.locator(".value")).to_have_text("1\u202f234.57")
    await expect(page.locator(".tile").filter(has_text="door").locator(".value")).to_have_text("no")
    await expect(page.locator(".tile").filter(has_text="Sensor")).to_contain_text("Lunch is ready")
    points = await temp.locator("polyline").get_attribute("points")
    assert len((points or "").split()) == 60
    await expect(page.get_by_role("status")).to_have_text("Live")


async def test_the_board_has_no_scrollbars_and_hides_the_pointer(
    enter: Opener, process: Process
) -> None:
    long = "A long sentence that somebody wrote for all to see from far away, and then some. " * 5
    await tell(process, "wall", {f"key {n}": n for n in range(30)}, {"long": long})
    page = await enter("/board/wall/")
    await expect(page.locator(".tile")).to_have_count(24)
    for width, height in [(390, 844), (1366, 768), (3840, 2160)]:
        await page.set_viewport_size({"width": width, "height": height})
        size = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        assert await page.evaluate(size) == [width, height]
    assert await page.evaluate("getComputedStyle(document.body).cursor") != "none"
    await expect(page.locator("body.idle")).to_be_attached(timeout=5000)
    assert await page.evaluate("getComputedStyle(document.body).cursor") == "none"


async def test_the_board_says_how_long_it_is_offline_and_heals(
    browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    context = await browser.new_context(base_url=f"http://127.0.0.1:{port}")
    page = await context.new_page()
    await page.add_init_script("Math.random = () => 0.02;")
    badge = page.get_by_role("status")
    with running(*COMMAND, folder=tmp_path, port=port, env={"REALTIME_BUILD": "one"}) as process:
        await tell(process, "heal", 7)
        await page.goto("/board/heal/")
        await expect(badge).to_have_text("Live")
        process.stop(signal.SIGKILL)
        await expect(badge).to_have_text(re.compile(r"^Offline for [2-9] s$"))
        await expect(page.locator(".value")).to_have_text("7")
    with running(*COMMAND, folder=tmp_path, port=port, env={"REALTIME_BUILD": "two"}):
        async with page.expect_event("load", timeout=BACK_MS):  # of the new build
            await expect(badge).to_have_text("Live", timeout=BACK_MS)
        await expect(badge).to_have_text("Live")
    await context.close()


# --- For everybody --------------------------------------------------------------------------------


async def test_no_page_of_a_room_is_wider_than_its_screen(enter: Opener, process: Process) -> None:
    page = await enter("/rooms/wide/")
    await tell(process, "wide", "w" * 500, "http://" + "long/" * 60)
    await expect(lines(page)).to_have_count(2)
    for width, height in [(320, 500), (390, 844), (1366, 768), (3840, 2160)]:
        await page.set_viewport_size({"width": width, "height": height})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await expect(page.get_by_role("button", name="Send")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_stands_out_from_its_ground(
    enter: Opener, process: Process, scheme: Literal["light", "dark"]
) -> None:
    async with room_socket(process, f"contrast-{scheme}", "name=Away"):
        for path in ("rooms", "board"):
            page = await enter(f"/{path}/contrast-{scheme}/")
            await page.emulate_media(color_scheme=scheme)
            await tell(process, f"contrast-{scheme}", {"text": "words"}, {"number": 5})
            await expect(page.get_by_text("words")).to_be_visible()
            assert await page.evaluate(CONTRAST) == [], path


async def test_a_room_needs_no_mouse(enter: Opener) -> None:
    page = await enter("/rooms/keys/")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await page.keyboard.type("one")
    await page.keyboard.press("Enter")
    await expect(lines(page)).to_have_count(1)
    reached = set()
    for _ in range(20):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("document.activeElement.id"))
    assert {"people", "name", "address", "copy", "log", "text"} <= reached
