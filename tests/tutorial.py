"""docs/tutorial/ done as a reader does it: files written, commands run, the browser looked at.

The line above a block says where it goes, as a reader reads it: "File `a.py`:", "At the end of
`a.py`:", "In `a.py`, below `LINE`:" (or above, or in the place of). The rest is said in a comment:
`run` is a command that ends (`run: NAME=value` with a variable), `output` a part of what it said,
`same: PATH` stands there already, `serve` starts the server, `install` is another system's, or
needs a network or a screen. `see: PATH | TEXT`, `type: PATH | LABEL | TEXT` and
`click: PATH | BUTTON` are the browser's; TUTORIAL_PICTURES=FOLDER keeps a picture of each `see`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from msgspec import Struct
from playwright.async_api import BrowserContext, Page, expect

from tests.processes import ROOT, Process, free_port, running, variables

FOLDER = ROOT / "docs/tutorial"
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
VISIBLE_MS = 20_000


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

    def __init__(self, folder: Path, context: BrowserContext, stack: ExitStack) -> None:
        self.folder, self._context, self._stack = folder, context, stack
        self._port = free_port()
        self._output = ""
        self._process: Process | None = None
        # What has changed since the server was started, and since a page was loaded.
        self._is_stale, self._pages = True, dict[str, Page]()
        self.problems: list[str] = []
        # Where a picture of all that is seen goes: the pages' screenshots come from here.
        self.pictures = os.environ.get("TUTORIAL_PICTURES")
        self._taken = 0

    async def do(self, step: Step) -> None:
        match step.kind:
            case "File" | "At the end of" | "below" | "above" | "in the place of" | "same":
                self._edit(step)
                await self._close_pages()
                self._is_stale = True
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

    # The server: what changed is taken up, as with --reload, but known to be.

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
            await self._take(page, path)
        elif kind == "click":
            await page.get_by_role("button", name=what).click()
        else:
            field = page.get_by_label(what)
            if what != "Password":
                await _until_connected(page)
            await field.fill(text)
            if what != "Username":
                await field.press("Enter")

    async def _take(self, page: Page, path: str) -> None:
        self._taken += 1
        if self.pictures:
            name = path.strip("/").replace("/", "-") or "start"
            await page.screenshot(path=f"{self.pictures}/{self._taken:02}-{name}.png")

    async def _close_pages(self) -> None:
        for page in self._pages.values():
            await page.close()
        self._pages = {}

    async def _page(self, path: str) -> Page:
        if path not in self._pages:
            page = await self._context.new_page()
            page.on("pageerror", lambda error: self.problems.append(f"{path}: {error}"))
            await page.goto(self._http() + path)
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
