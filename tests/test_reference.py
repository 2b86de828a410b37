"""docs/reference/ and the site made of docs/: nothing old, nothing missing, no dead link."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped, unused-ignore]
import pytest
from playwright.async_api import async_playwright

import realtime
import settings
from docs.generate import api_page, settings_page, site
from docs.generate.__main__ import files, main
from realtime.messages import BuiltIn, CloseCode, ErrorCode, ServerMessage, decode
from realtime.routing import websocket_urlpatterns
from realtime.web.urls import urlpatterns
from tests.browsers import CHROMIUM, FLAGS
from tests.processes import ROOT

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = [*sorted(DOCS.rglob("*.md")), *(ROOT / name for name in site.GUESTS)]
SCRIPT = (ROOT / "realtime/static/realtime/realtime.js").read_text()
ASYNCAPI: dict[str, Any] = json.loads((DOCS / "asyncapi.json").read_text())


# --- Generated -----------------------------------------------------------------------------------


def test_what_is_generated_is_not_old() -> None:
    old = [path.name for path, text in files().items() if path.read_text("utf-8") != text]
    assert old == [], "run: python -m docs.generate"


def test_the_check_says_what_is_old(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"]) == 0
    monkeypatch.setattr(settings_page, "SOURCE", DOCS / "generate/tables.py")
    assert main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/reference/settings.md\n"


def test_no_setting_is_missing_and_each_has_its_reason() -> None:
    parts = (REFERENCE / "settings.md").read_text().split("\n### ")[1:]
    described = [re.match(r"`(\w+)`\n\ndefault .+\n\n\S", part) for part in parts]
    assert all(described), [
        part[:60] for part, found in zip(parts, described, strict=True) if not found
    ]
    assert {found[1] for found in described if found} == settings.env._names


def test_a_reason_is_the_comment_above() -> None:
    text = (
        '# Why\n# so.\nA = env("A", 1)\nB = env("B", 2)\n\nC = env("C", 3)\n# D.\nD = [env("D")]\n'
    )
    found = [(call.args[0].value, reason) for call, reason in settings_page.settings(text)]  # type: ignore[attr-defined]
    assert found == [("A", "Why so."), ("B", "Why so."), ("C", ""), ("D", "D.")]


def test_every_code_and_message_is_described() -> None:
    codes, wire = ((REFERENCE / name).read_text() for name in ("codes.md", "wire.md"))
    for code in CloseCode:
        assert f"| {int(code)} |" in codes
    for error in ErrorCode:
        assert f"| `{error}` |" in codes
    for struct in (*get_args(BuiltIn), *get_args(ServerMessage)):
        assert f"### `{struct.__struct_config__.tag}`" in wire


def test_the_examples_frames_are_frames() -> None:
    example = (REFERENCE / "wire.md").read_text().partition("## Example")[2]
    sent = re.findall(r"^> (.+)$", example, re.MULTILINE)
    assert len(sent) == 4
    for frame in sent:
        decode(frame)


# --- AsyncAPI ------------------------------------------------------------------------------------


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [ref for value in node.values() for ref in references(value)]
    return [ref for each in node for ref in references(each)] if isinstance(node, list) else []


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    found = references(ASYNCAPI)
    assert len(found) > 40
    for ref in found:
        node: Any = ASYNCAPI
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]


def test_the_asyncapi_document_has_the_form_of_its_version() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert ASYNCAPI["info"].keys() >= {"title", "version"}
    known = {"asyncapi", "info", "defaultContentType", "servers", "channels", "operations"}
    assert ASYNCAPI.keys() == known | {"components"}
    [channel] = ASYNCAPI["channels"].values()
    assert channel.keys() == {"address", "parameters", "messages", "bindings"}
    for operation in ASYNCAPI["operations"].values():
        assert operation["action"] in ("send", "receive")
        # The messages of an operation are those of its channel (3.0.0, Operation Object).
        names = [ref["$ref"].rpartition("/")[2] for ref in operation["messages"]]
        assert set(names) <= channel["messages"].keys()
    for schema in ASYNCAPI["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)
    path = channel["address"].format(room="kitchen").lstrip("/")
    assert any(pattern.pattern.match(path) for pattern in websocket_urlpatterns)


def test_the_asyncapi_document_has_every_message() -> None:
    for union, side in ((ServerMessage, "server"), (BuiltIn, "client")):
        for struct in get_args(union):
            message = ASYNCAPI["components"]["messages"][f"{side}.{struct.__struct_config__.tag}"]
            assert message["payload"]["$ref"].endswith(f"/{struct.__name__}")


# --- Written by hand, held to the code -----------------------------------------------------------


def test_the_client_page_has_all_that_the_client_has() -> None:
    page = (REFERENCE / "client.md").read_text()
    room = SCRIPT.partition("class Room")[2].partition("\n}\n")[0]
    methods = re.findall(r"^  (?:get )?([a-z]\w+)\(", room, re.MULTILINE)
    assert {"send", "members", "leave"} <= set(methods)
    assert [name for name in methods if name != "constructor" and f"`{name}" not in page] == []
    [events] = re.findall(r"\* Events: (.+), your own types", SCRIPT)
    assert [name for name in events.split(", ") if f"`{name}`" not in page] == []
    [options] = re.findall(r"@typedef {{(.+?)}} Options", SCRIPT)
    assert [name for name in re.findall(r"(\w+)\?:", options) if f"| `{name}` |" not in page] == []


def test_the_http_page_has_every_path_of_the_api() -> None:
    page = (REFERENCE / "http.md").read_text()
    paths = [re.sub(r"<\w+:", "<", str(each.pattern)) for each in urlpatterns]
    rooms = [path for path in paths if path.startswith("api/") and path.endswith("/")]
    assert len(rooms) >= 4
    assert [path for path in rooms if f"/{path}" not in page] == []


BLOCKS = re.findall(
    r"^<!-- test -->\n```python\n(.*?)^```$",
    (REFERENCE / "testing.md").read_text(),
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.parametrize("number", range(3))
async def test_the_test_kits_examples_pass(number: int) -> None:
    assert len(BLOCKS) == 3
    names: dict[str, Any] = {}
    exec(BLOCKS[number], names)
    [test] = [value for name, value in names.items() if name.startswith("test_")]
    if asyncio.iscoroutine(result := test()):
        await result


# --- Links, and the site -------------------------------------------------------------------------

# A page of operations that comes with its service file.
ELSEWHERE = {"raspberry-pi.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_link_is_dead(page: Path) -> None:
    anchors = {p.source: {a for a, _ in p.sections} for p in (site.Page(p, p.name) for p in PAGES)}
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link or target.name in ELSEWHERE:
            continue
        assert target.exists(), link
        assert not anchor or anchor in anchors[target], link


def test_every_page_is_reached_from_the_contents() -> None:
    reached, waiting = set[Path](), [DOCS / "README.md", ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
            waiting += [(page.parent / link).resolve() for link in links]
    assert [path for path in DOCS.rglob("*.md") if path not in reached] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate.site", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{len(PAGES)} pages." in done.stdout
    return folder


def test_the_site_leads_nowhere_but_to_itself(folder: Path) -> None:
    pages = list(folder.rglob("*.html"))
    assert len(pages) == len(PAGES)
    for page in pages:
        for link in re.findall(r'(?:src|href)="([^"#]*)', page.read_text()):
            outside = link.startswith("https://") or Path(link).name in ELSEWHERE
            assert outside or (page.parent / link).exists(), f"{page.name}: {link}"
        assert not re.search(r'<(?:script|link|img)[^>]+"(?:https?:)?//', page.read_text())


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
async def test_the_site_is_searched_as_files_without_a_server(folder: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        await page.goto((folder / "tutorial/index.html").as_uri())
        await page.get_by_role("searchbox").fill("unexpected keyword bytes_data")
        await page.get_by_role("link", name="got an unexpected keyword argument").first.click()
        await page.wait_for_url("**/tutorials-corrected.html#*")
        assert await page.locator("h3:target").inner_text()
        assert errors == []
        await browser.close()


def test_the_surface_has_all_that_the_package_offers_by_name() -> None:
    assert set(realtime.__all__) == set(api_page.SURFACE["realtime"])
    for module, names in api_page.SURFACE.items():
        for name in names:
            assert getattr(import_module(module), name).__doc__, f"{module}.{name}"
