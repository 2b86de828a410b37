"""Rules of the house: who may import whom, and that the documents tell the truth."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from django.urls import resolve

from realtime.routing import websocket_urlpatterns
from tests import readme
from tests.processes import ROOT

PACKAGE = ROOT / "realtime"
MODULES = {
    path.relative_to(ROOT)
    .with_suffix("")
    .as_posix()
    .replace("/", ".")
    .removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Section 3 of the design. What is not there yet is not looked at.
PURE = [
    "codes",
    "messages",
    "codec",
    "roster",
    "history",
    "snapshot",
    "limits",
    "names",
    "frames",
    "arrival",
    "blame",
    "screens",
]
IMPURE = {"django", "channels", "asyncio", "asgiref", "uvicorn"}

# From the top down: a module may import from its right, never from its left.
ARROWS = [
    ["routing", "consumers", "rooms", "roster"],
    ["routing", "consumers", "rooms", "history"],
    ["consumers", "rooms", "codec", "messages", "codes"],
    ["consumers", "limits"],
    ["consumers", "connection"],
    ["layers", "connection"],
]

# What is not the core, and may know the web.
AROUND = ("realtime.web", "realtime.templatetags", "realtime.management", "realtime.doctor")

# Only ever used as a whole: by every test of a page or a start, in test_commands.py, and by every
# test of a RoomConsumer.
ELSEWHERE = {"apps", "urls", "server", "publish", "seat"}


def nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All below `node` that runs: what only a type checker reads is left out."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from nodes(child)


def imports(path: Path) -> set[str]:
    """The modules that the file imports, wherever in it."""
    found: set[str] = set()
    for node in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(module: str) -> set[str]:
    return {name for name in imports(MODULES[module]) if name in MODULES and name != "realtime"}


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_knows_no_framework_and_no_loop(name: str) -> None:
    if f"realtime.{name}" not in MODULES:
        pytest.skip(f"there is no {name}.py yet")
    tops = {each.partition(".")[0] for each in imports(MODULES[f"realtime.{name}"])}
    assert tops & IMPURE == set()


@pytest.mark.parametrize("chain", ARROWS, ids=" → ".join)
def test_arrows_point_down_only(chain: list[str]) -> None:
    for place, name in enumerate(chain):
        module = f"realtime.{name}"
        if module in MODULES:
            above = {f"realtime.{other}" for other in chain[:place]}
            assert ours(module) & above == set()


def test_no_two_modules_import_each_other() -> None:
    graph = {module: ours(module) for module in MODULES}
    while leaves := [module for module, needs in graph.items() if not needs & graph.keys()]:
        for module in leaves:
            del graph[module]
    assert graph == {}


def test_nothing_in_the_core_imports_the_web() -> None:
    core = [module for module in MODULES if not module.startswith(AROUND)]
    assert [module for module in core if any("realtime.web" in name for name in ours(module))] == []


def test_the_package_does_not_import_the_project_around_it() -> None:
    for module, path in MODULES.items():
        assert imports(path) & {"app", "settings", "tests"} == set(), module


def test_every_module_opens_with_what_lives_there() -> None:
    files = [
        *MODULES.values(),
        ROOT / "app.py",
        ROOT / "settings.py",
        *(ROOT / "tests").glob("*.py"),
    ]
    silent = [
        path.name
        for path in files
        if path.read_text() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_every_module_has_its_tests() -> None:
    files = list((ROOT / "tests").glob("test_*.py"))
    tested = {path.stem.removeprefix("test_") for path in files}
    used = set[str]().union(*map(imports, files))
    bare = {name for name, path in MODULES.items() if path.read_text() and path.stem != "__init__"}
    bare = {name for name in bare - used if name.rpartition(".")[2] not in tested | ELSEWHERE}
    assert bare == set()


def test_no_page_or_script_names_another_server() -> None:
    shipped = [
        path
        for folder in ("templates", "static")
        for path in (PACKAGE / folder).rglob("*")
        if path.is_file()
    ]
    assert shipped
    for path in shipped:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"""(?:https?:|["'(])//[\w.-]+""", text) == [], path.name


def test_no_page_has_a_script_or_a_style_inside() -> None:
    for path in (PACKAGE / "templates").rglob("*.html"):
        text = path.read_text()
        assert (
            re.findall(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", text) == []
        )


def test_no_script_writes_html() -> None:
    for path in (PACKAGE / "static").rglob("*.js"):
        assert (
            re.findall(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text()
            )
            == []
        )


# --- README and the other documents --------------------------------------------------------------


def test_the_readme_has_the_two_commands_as_they_are() -> None:
    assert readme.command("serve").endswith("pip install -e . && uvicorn app:application")
    assert readme.command("test").endswith('pip install -e ".[test]" && pytest')


def test_every_path_in_the_readme_is_served() -> None:
    section = readme.TEXT.partition("## What is here")[2].partition("##")[0]
    table = re.findall(r"^\| (`.+`) \|", section, re.MULTILINE)
    paths = [path for row in table for path in re.findall(r"`([^`]+)`", row)]
    assert {"/", "ws/echo/"} <= set(paths)
    for path in paths:
        if path.startswith("/"):
            resolve(path)
        else:
            assert any(pattern.pattern.match(path) for pattern in websocket_urlpatterns), path


def test_every_command_in_the_readme_exists() -> None:
    named = set(re.findall(r"python app\.py ([a-z]+)", readme.TEXT))
    assert {"check", "migrate", "shell"} <= named
    assert named <= get_commands().keys()


def test_every_setting_in_the_documents_exists() -> None:
    import settings

    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        named = set(re.findall(r"\bREALTIME_[A-Z_]+\b", path.read_text()))
        assert {name for name in named if not hasattr(settings, name)} == set(), path.name


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_to_a_file_leads_to_one(name: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_every_picture_of_the_readme_is_there() -> None:
    named = re.findall(r"(?:src|srcset)=\"([^\"]+)\"", readme.TEXT)
    made = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/pictures").glob("*.png")}
    assert set(named) == made


def test_the_changelog_knows_the_version() -> None:
    versions = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert versions[0] == PYPROJECT["project"]["version"]


def test_every_dependency_has_a_reason_and_two_bounds() -> None:
    reasons = (ROOT / "docs/dependencies.md").read_text()
    table = set(re.findall(r"^\| `([\w-]+)` \| \S", reasons, re.MULTILINE))
    needed = PYPROJECT["project"]["dependencies"]
    assert {package(each) for each in needed} == table
    for each in needed + PYPROJECT["project"]["optional-dependencies"]["test"]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+,<[\d.]+(; .+)?", each), each
    for each in PYPROJECT["project"]["optional-dependencies"]["test"]:
        assert f"`{package(each)}`" in reasons, each


def package(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement)[0]


def test_ci_runs_the_readmes_command() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "<!-- command: test -->" in script
    assert "pytest\n" not in script  # it has no command of its own for the whole suite
