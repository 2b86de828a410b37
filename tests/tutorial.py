"""docs/tutorial/ done as a reader does it: files written, commands run, the browser looked at.

The line above a block says where it goes, as a reader reads it: "File `a.py`:", "At the end of
`a.py`:", "In `a.py`, below `LINE`:" (or above, or in the place of). The rest is said in a comment:
`run` is a command that ends (`run: NAME=value` with a variable), `output` a part of what it said,
`same: PATH` stands there already, `serve` starts the server, `install` is another system's, or
needs a network or a screen. `see: PATH | TEXT`, `type: PATH | LABEL | TEXT` and
`click: PATH | BUTTON` are the browser's; with `see: PATH | TEXT | NAME` what is seen is the picture
docs/pictures/tutorial/NAME.png, and `python -m tests.tutorial` makes them all anew.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from tests.browsers import CHROMIUM, FLAGS
from tests.processes import ROOT, Process, free_port, running, variables

FOLDER = ROOT / "docs/tutorial"
PICTURES = ROOT / "docs/pictures/tutorial"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
STEP = re.compile(
    r"^(?:<!-- (?P<mark>.+?) -->\n|(?P<caption>(?:File|In|At the end of) `[^\n]+`):\n\n(?=```))"
    r"(?:```\w+\n(?P<block>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
CAPTION = re.compile(
    r"(File|In|At the end of) `([^`]+)`(?:, (below|above|in the place of) `([^`]+)`)?"
)
ADDRESS = "http://127.0.0.1:8000"
# Where a phone finds it, so that no picture shows the network of whoever made it.
PHONES = "http://192.168.0.7:8000"
VISIBLE_MS = 20_000

# Pixels of a picture, at most; and how long a board gathers values for a curve.
WIDTH, HEIGHT, ROOM_HEIGHT = 860, 460, 390
BOARD_MS = 12_000


class Step(Struct, frozen=True):
    """`kind` of a caption is its first word or where in the file it goes; `line` the line there."""

    kind: str
    where: str
    block: str
    line: str = ""


def steps(page: Path) -> Iterator[Step]:
    for found in STEP.finditer(page.read_text()):
        block = found["block"] or ""
        if found["mark"]:
            kind, _, where = found["mark"].partition(": ")
            yield Step(kind, where, block)
        elif caption := CAPTION.fullmatch(found["caption"]):
            start, path, place, line = caption.groups()
            yield Step(place or start, path, block, line or "")


class Reader:
    """Somebody with a copy of the project, a terminal and a browser."""

    def __init__(
        self,
        folder: Path,
        context: BrowserContext,
        stack: ExitStack,
        *,
        port: int = 0,
        pictures: Path | None = None,
    ) -> None:
        self.folder, self._context, self._stack = folder, context, stack
        self._port, self._pictures = port or free_port(), pictures
        self._output = ""
        self._process: Process | None = None
        # Whether the server has to start anew, and whether it does so when a Python file changes.
        self._is_stale, self._reloads = True, False
        # As long as they show what there is.
        self._pages = dict[str, Page]()
        self.problems: list[str] = []

    async def do(self, step: Step) -> None:
        match step.kind:
            case "File" | "At the end of" | "below" | "above" | "in the place of" | "same":
                self._edit(step)
                await self._close_pages()
                if self._reloads and step.where.endswith(".py"):
                    self._is_stale = True
            case "serve":
                self._is_stale, self._reloads = True, "--reload" in step.block
            case "run":
                self._serve()
                self._run(step)
            case "output":
                assert step.block.strip() in self._output, self._output
            case "see" | "type" | "click":
                self._serve()
                await self._look(step.kind, *step.where.split(" | "))

    # Files.

    def _edit(self, step: Step) -> None:
        path = self.folder / step.where
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() if path.exists() else ""
        path.write_text(edited(step, before))

    # Commands.

    def _run(self, step: Step) -> None:
        command = step.block.replace(ADDRESS, self._http()).strip()
        words = shlex.split(command)
        if words[0] == "python":
            words[0] = sys.executable
        own = dict([step.where.split("=", 1)]) if step.where else {}
        if "createsuperuser" in words:
            words.append("--noinput")  # the password comes from a variable, not from a keyboard
        env = self._variables() | own | {"REALTIME_URL": self._http()}
        done = subprocess.run(
            words, cwd=self.folder, env=variables(env), capture_output=True, text=True, timeout=120
        )
        self._output = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{self._output}"

    def _variables(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder), "DJANGO_SETTINGS_MODULE": "settings"}

    # The server: with --reload a Python file that changed is taken up, and is known to be.

    def _serve(self) -> None:
        if not self._is_stale:
            return
        if self._process:
            self._process.stop()
        command = ["app.py", "--host", "127.0.0.1", "--port", str(self._port)]
        self._process = self._stack.enter_context(
            running(
                *command,
                folder=self.folder.parent,
                cwd=self.folder,
                port=self._port,
                env=self._variables() | {"REALTIME_DATABASE": str(self.folder / "db.sqlite3")},
            )
        )
        self._is_stale = False

    def _http(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    # The browser.

    async def _look(self, kind: str, path: str, what: str, text: str = "") -> None:
        page = await self._page(path)
        if kind == "see":
            await expect(page.get_by_text(what).first).to_be_visible(timeout=VISIBLE_MS)
            if self._pictures and text:
                await _take(page, self._pictures / f"{text}.png")
        elif kind == "click":
            await page.get_by_role("button", name=what).click()
        else:
            field = page.get_by_label(what)
            if what != "Password":
                await _until_connected(page)
            await field.fill(text)
            if what != "Username":
                await field.press("Enter")

    def _base(self, path: str) -> str:
        """In a picture stands the address of the text; with an invitation, the one for phones."""
        if self._pictures is None:
            return self._http()
        return PHONES if path.startswith("/rooms/") else ADDRESS

    async def _close_pages(self) -> None:
        for page in self._pages.values():
            await page.close()
        self._pages = {}

    async def _page(self, path: str) -> Page:
        if path not in self._pages:
            page = await self._context.new_page()
            page.on("pageerror", lambda error: self.problems.append(f"{path}: {error}"))
            await page.goto(self._base(path) + path)
            self._pages[path] = page
        return self._pages[path]


def edited(step: Step, before: str) -> str:
    block, lines = step.block, before.splitlines(keepends=True)
    if step.kind == "File":
        return block
    if step.kind == "At the end of":
        return f"{before}\n{block}"
    if step.kind == "same":
        assert block in before, block
        return before
    # Who searches for it finds the right place at once, and no other.
    assert before.count(step.line) == 1, f"{step.line!r} is not once in {step.where}"
    place = [line.strip() for line in lines].index(step.line)
    start = place + (step.kind == "below")
    end = place + (step.kind != "above")
    return "".join([*lines[:start], block, *lines[end:]])


async def _until_connected(page: Page) -> None:
    """A WebSocket that a page of ours opened with `new WebSocket` is open; a reader is slower."""
    await page.wait_for_load_state("networkidle")


async def _take(page: Page, file: Path) -> None:
    """What is in the page, without the empty space below it; of a board or room, the screen."""
    if "/board/" in page.url or "/rooms/" in page.url:
        await page.wait_for_timeout(BOARD_MS)
        height = ROOM_HEIGHT if "/rooms/" in page.url else HEIGHT
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height}
        await page.screenshot(path=file, clip=clip)  # type: ignore[arg-type]
        return
    last = "document.querySelector('main').lastElementChild.getBoundingClientRect().bottom"
    bottom = await page.evaluate(f"Math.ceil({last})")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": min(bottom + 24, HEIGHT)}
    await page.screenshot(path=file, clip=clip)  # type: ignore[arg-type]


def copy(folder: Path) -> Path:
    """The project as a clone has it."""
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in names:
        if (ROOT / name).exists() and not name.startswith(("tests/", "benchmarks/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


async def main() -> None:
    port = free_port()
    rules = [f"MAP {url.removeprefix('http://')} 127.0.0.1:{port}" for url in (ADDRESS, PHONES)]
    rule = f"--host-resolver-rules={','.join(rules)}"
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary) / "project"
        folder.mkdir()
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=CHROMIUM, args=[*FLAGS, rule, "--font-render-hinting=none"]
            )
            context = await browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
            reader = Reader(copy(folder), context, stack, port=port, pictures=PICTURES)
            for page in PAGES:
                for step in steps(page):
                    await reader.do(step)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
