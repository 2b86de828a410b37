"""The tutorial, all steps in order as they stand there, on a real server and in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.browsers import CHROMIUM, FLAGS, pytestmark  # noqa: F401 (marks this module)
from tests.processes import ROOT
from tests.tutorial import FOLDER, PAGES, PICTURES, Reader, Step, copy, edited, steps

KINDS = {
    *("File", "At the end of", "below", "above", "in the place of", "same"),
    *("run", "output", "serve", "install"),
    *("see", "type", "click", "wheelhouse"),
}


@pytest_asyncio.fixture(loop_scope="module")
async def reader(tmp_path: Path) -> AsyncIterator[Reader]:
    assert CHROMIUM, "no Chromium here, and with CI=true that is a failure"
    folder = tmp_path / "project"
    folder.mkdir()
    with ExitStack() as stack:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            yield Reader(copy(folder), await browser.new_context(), stack)
            await browser.close()


@pytest.mark.timeout(900)
async def test_a_reader_does_every_step_and_sees_what_it_says(reader: Reader) -> None:
    for page in PAGES:
        for step in steps(page):
            try:
                await reader.do(step)
            except Exception as error:
                error.add_note(f"{page.name}: {step.kind}: {step.where}\n{step.block}")
                raise
    assert reader.problems == []


async def test_a_place_that_a_search_finds_twice_is_refused() -> None:
    lists = "urlpatterns = [\n]\nwebsocket_urlpatterns = [\n    *sockets,\n]\n"
    with pytest.raises(AssertionError, match=r"'urlpatterns = \[' is not once in app.py"):
        edited(Step("below", "app.py", "    mine,\n", "urlpatterns = ["), lists)
    step = Step("below", "app.py", "    mine,\n", "*sockets,")
    assert "    *sockets,\n    mine,\n]" in edited(step, lists)


async def test_every_block_says_what_it_is_for() -> None:
    for page in FOLDER.glob("*.md"):
        text = page.read_text()
        marked = [step for step in steps(page) if step.block]
        assert len(re.findall(r"^```\w+$", text, re.MULTILINE)) == len(marked), page.name
        assert {step.kind for step in steps(page)} <= KINDS, page.name


async def test_every_step_ends_with_something_seen_and_leads_to_the_next() -> None:
    assert [page.name[:2] for page in PAGES] == [f"{number:02}" for number in range(1, 12)]
    contents = (FOLDER / "README.md").read_text()
    for page, following in zip(PAGES, [*PAGES[1:], None], strict=True):
        text = page.read_text()
        assert "You see" in text
        assert any(step.kind == "see" for step in steps(page)), page.name
        assert f"({page.name})" in contents
        assert following is None or f"({following.name})" in text


async def test_every_picture_is_there_small_and_shown_with_words_for_what_it_shows() -> None:
    shown = list[Path]()
    for page in PAGES:
        for alt, path in re.findall(r"!\[(.*?)\]\((.+?)\)", page.read_text()):
            assert len(alt.split()) > 5, f"{page.name}: {path}"
            shown.append((FOLDER / path).resolve())
    assert sorted(shown) == sorted(PICTURES.iterdir())
    named = {step.where.split(" | ")[2] for step in all_seen() if step.where.count(" | ") == 2}
    assert named == {path.stem for path in PICTURES.iterdir()}  # the script makes these and no more
    for path in PICTURES.iterdir():
        head = path.read_bytes()[:24]
        assert head.startswith(b"\x89PNG")
        assert int.from_bytes(head[16:20]) <= 1000, path.name
        assert int.from_bytes(head[20:24]) >= 200, path.name
        assert path.stat().st_size < 65_536, path.name


def all_seen() -> list[Step]:
    return [step for page in PAGES for step in steps(page) if step.kind == "see"]


async def test_the_wheelhouse_names_every_dependency() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (FOLDER / "wheelhouse.md").read_text()
    assert project["name"] in text
    needed = [re.split(r"[^\w-]", each)[0] for each in project["dependencies"]]
    assert [name for name in needed if f'"{name}<' not in text] == ["uvloop"]
