"""How a phone gets in: the codes on real pages, as a camera sees them; addresses that change."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, async_playwright, expect

from app import application
from realtime.testing import serving
from realtime.web import invitation
from realtime.web.qr import modules
from tests.browsers import CHROMIUM, FLAGS, pytestmark  # noqa: F401 (marks this module)
from tests.processes import Process

# Where the pages seem to be, for the browser of these tests.
ADDRESS = "192.168.0.7:8000"

SCREENS: dict[str, tuple[int, int, float]] = {
    "phone": (390, 844, 3),
    "laptop": (1366, 768, 1),
    "wall": (3840, 2160, 1),
}

# The modules of a code in a picture; "?" is neither black nor white.
READ = """async ([png, size]) => {
  const image = new Image();
  image.src = "data:image/png;base64," + png;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const shade = (x, y) => Math.max(...context.getImageData(x, y, 1, 1).data.slice(0, 3));
  const kind = (light) => (light < 50 ? "#" : light > 205 ? "." : "?");
  const at = (n, length) => Math.floor((n + 0.5) * length / size);
  const all = [...Array(size).keys()];
  const module = (x, y) => kind(shade(at(x, image.width), at(y, image.height)));
  return all.map((y) => all.map((x) => module(x, y)).join(""));
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def phone(process: Process) -> AsyncIterator[Browser]:
    """A browser for which the server is at an address of the network."""
    async with async_playwright() as playwright:
        rule = f"--host-resolver-rules=MAP {ADDRESS} 127.0.0.1:{process.port}"
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, rule])
        yield browser
        await browser.close()


async def read(code: Locator, size: int) -> list[str]:
    """What is on the screen, not what is in the page."""
    png = base64.b64encode(await code.screenshot()).decode()
    found: list[str] = await code.page.evaluate(READ, [png, size])
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("kind", ["start", "rooms", "board"])
async def test_a_camera_reads_the_address(
    phone: Browser,
    screen: str,
    scheme: Literal["light", "dark"],
    kind: str,
) -> None:
    room = f"{kind}-50%25-{screen}-{scheme}"  # as an address has it
    path, leads_to = ("/", "/") if kind == "start" else (f"/{kind}/{room}/", f"/rooms/{room}/")
    width, height, scale = SCREENS[screen]
    context = await phone.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
    )
    page = await context.new_page()
    await page.goto(f"http://{ADDRESS}{path}")
    if kind == "rooms" and screen == "phone":
        await page.get_by_text("Your name and an invitation").click()
        await page.get_by_text("QR code", exact=True).click()
    address = f"http://{ADDRESS}{leads_to}"
    code = page.get_by_role("img", name=f"QR code of {address}").first
    await expect(code).to_be_visible()
    expected = ["".join(".#"[module] for module in row) for row in modules(address)]
    assert await read(code, len(expected)) == expected
    await context.close()


async def test_a_board_with_data_shows_the_code_when_asked(phone: Browser) -> None:
    page = await phone.new_page()
    await page.goto(f"http://{ADDRESS}/board/filled/")
    code = page.get_by_role("img", name="QR code")
    await expect(code).to_be_visible()
    await page.evaluate("""async () => {
      const { join } = await import("/static/realtime/realtime.js");
      await join("filled").send({ temp: 21.5 });
    }""")
    await expect(page.locator(".tile")).to_have_count(1)
    await expect(code).to_be_hidden()
    await page.keyboard.press("j")
    await expect(code).to_be_visible()
    await expect(page.get_by_role("button", name="Join by phone")).to_have_attribute(
        "aria-pressed", "true"
    )
    plate, tile = await code.bounding_box(), await page.locator(".tile").bounding_box()
    assert plate
    assert tile
    assert tile["x"] + tile["width"] <= plate["x"]  # it covers nothing
    await page.keyboard.press("j")
    await expect(code).to_be_hidden()
    await page.goto(f"http://{ADDRESS}/board/filled/?join")
    await expect(code).to_be_visible()
    await page.close()


# What the tiles and the code, each with its gap of 1 em, leave empty of the board below its bar.
EMPTY = """() => {
  const { bottom } = document.querySelector(".top").getBoundingClientRect();
  const gap = parseFloat(getComputedStyle(document.body).fontSize);
  const all = [...document.querySelectorAll(".tile, .invitation")];
  const covered = all.map((each) => each.getBoundingClientRect())
    .reduce((sum, { width, height }) => sum + (width + gap) * (height + gap), 0);
  return 1 - covered / ((innerWidth - gap) * (innerHeight - bottom - gap));
}"""


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("count", [1, 3, 6, 7])
async def test_a_board_with_its_code_has_no_empty_corner(
    phone: Browser, process: Process, screen: str, count: int
) -> None:
    room = f"{count}-{screen}"
    async with httpx.AsyncClient() as client:
        data = {f"value {n}": n for n in range(count)}
        await client.post(process.http(f"/api/rooms/{room}/messages/"), json={"data": data})
    width, height, _ = SCREENS[screen]
    page = await phone.new_page(viewport={"width": width, "height": height})
    await page.goto(f"http://{ADDRESS}/board/{room}/?join")
    await expect(page.locator(".tile")).to_have_count(count)
    await expect(page.get_by_role("img", name="QR code")).to_be_in_viewport(ratio=1)
    await page.wait_for_function(f"({EMPTY})() < 0.02")
    await page.close()


async def test_who_is_alone_is_told_of_a_code_only_where_there_is_one(
    phone: Browser, process: Process
) -> None:
    page = await phone.new_page(viewport={"width": 1366, "height": 768})
    alone = page.locator("#alone")
    await page.goto(f"http://{ADDRESS}/rooms/alone/")
    await expect(alone.get_by_text("its camera reads this code")).to_be_visible()
    await expect(alone.get_by_role("img", name="QR code")).to_be_visible()
    await page.set_viewport_size({"width": 390, "height": 844})
    await expect(alone.get_by_role("img", name="QR code")).to_be_hidden()
    await expect(alone.get_by_text("this code")).to_be_hidden()
    await expect(alone.get_by_text("the code is in the invitation above")).to_be_visible()
    await page.goto(process.http("/rooms/alone/"))  # which only this machine can open
    await expect(alone).to_contain_text("python app.py")
    await expect(alone).not_to_contain_text(re.compile(r"code\b|camera"))
    await page.close()


@pytest.mark.parametrize("path", ["/", "/rooms/a/", "/board/a/"])
async def test_a_page_of_this_machine_follows_its_address(
    phone: Browser, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    addresses = ["192.168.0.7"]

    async def all_of_them(found: list[str], port: int) -> Any:
        return found

    monkeypatch.setattr(invitation, "lan_addresses", lambda: addresses)
    monkeypatch.setattr(invitation, "listening", all_of_them)
    async with serving(application) as server:
        page = await phone.new_page()
        await page.goto(f"http://127.0.0.1:{server.port}{path}")
        code = page.get_by_role("img", name="QR code of http://192.168.0.7").first
        await expect(code).to_be_visible()
        addresses[:] = ["10.0.0.9"]
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.get_by_role("img", name="QR code of http://10.0.0.9")).to_be_visible()
        await expect(code).to_have_count(0)
        addresses.clear()
        await page.evaluate("dispatchEvent(new Event('online'))")
        await expect(page.get_by_text("python app.py").first).to_be_attached()
        await expect(page.get_by_role("img", name="QR code")).to_have_count(0)
        await page.close()
