"""`python app.py startroom NAME`, in a copy of the project: what it writes works at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from realtime.management.commands import startroom
from tests.browsers import CHROMIUM, COMMAND, FLAGS
from tests.browsers import pytestmark as in_chromium
from tests.processes import ROOT, run, running
from tests.readme import python_block

HERE = {".secret-key", "__pycache__", ".ruff_cache", ".pytest_cache"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("realtime", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("app.py", "settings.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def start(project: Path, name: str, program: str = "app.py") -> subprocess.CompletedProcess[str]:
    return run(program, "startroom", name, cwd=project, env={"PYTHONPATH": str(project)})


def pytest_run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    changes = {"PYTHONPATH": f"{project}:{ROOT}", "PYTEST_ADDOPTS": ""}
    return run("-m", "pytest", "-q", *arguments, cwd=project, env=changes)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if not HERE & {*path.relative_to(folder).parts}
    }


def test_the_test_of_a_new_room_passes(project: Path) -> None:
    result = start(project, "quiz")
    assert (result.returncode, result.stderr) == (0, "")
    assert "Made quiz/" in result.stdout
    assert "Added its lines to app.py and settings.py." in result.stdout
    result = pytest_run(project, "quiz")
    assert result.returncode == 0, result.stdout
    assert "2 passed" in result.stdout
    (project / "quiz/consumers.py").write_text(
        (project / "quiz/consumers.py").read_text().replace('"waves"', '"sleeps"')
    )
    assert pytest_run(project, "quiz").returncode == 1  # it can fail


def test_rooms_stand_side_by_side_and_pass_every_check(project: Path) -> None:
    for name in ("q", "quiz2", "abcdefghij0123456789"):
        assert start(project, name).returncode == 0
        assert pytest_run(project, name).returncode == 0
    assert (
        "no issues" in run("app.py", "check", cwd=project, env={"PYTHONPATH": str(project)}).stdout
    )
    for arguments in (["check"], ["format", "--check"]):
        command = ["-m", "ruff", *arguments, "--no-cache"]
        result = run(*command, cwd=project)
        if "No module named ruff" in result.stderr:
            pytest.skip("ruff comes with .[dev]")
        assert result.returncode == 0, result.stdout


@in_chromium[1]
async def test_the_page_of_a_new_room_works_at_once(project: Path, tmp_path: Path) -> None:
    assert start(project, "quiz").returncode == 0
    environment = {"PYTHONPATH": str(project)}
    with running(*COMMAND, folder=tmp_path, cwd=project, env=environment) as process:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            pages = []
            complaints: list[str] = []
            for _ in range(2):
                context = await browser.new_context(base_url=process.http(""))
                page = await context.new_page()
                page.on("console", lambda message: complaints.append(message.text))
                page.on("pageerror", lambda error: complaints.append(str(error)))
                await page.goto("/quiz/")
                pages.append(page)
            for page in pages:
                await expect(page.locator("#status")).to_have_text("Connected")
                await expect(page.locator("#people li")).to_have_count(2)
            await pages[0].get_by_role("button", name="Wave").click()
            for page in pages:
                await expect(page.locator("#news li")).to_have_text(re.compile(r"^\w+ \w+ waves$"))
                assert page.url.endswith("/quiz/lobby/")
            header = pages[0].get_by_role("navigation", name="Pages").get_by_role("link")
            links = ["Start", "Rooms", "Echo", "Examples", "Operator"]
            await expect(header).to_have_text(links)
            assert complaints == []
            await browser.close()
    assert "Traceback" not in process.said()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Quiz", "no name for a Python package"),
        ("1st", "no name for a Python package"),
        ("my-room", "no name for a Python package"),
        ("../up", "no name for a Python package"),
        ("", "no name for a Python package"),
        ("x" * 21, "no name for a Python package"),
        ("class", "a word of the Python language"),
        ("random", "a Python module"),
        ("winreg", "a Python module"),  # of Windows alone
        ("django", "a Python module"),
        ("settings", "a Python module"),
        ("examples", "There is something named examples"),
        ("rooms", "pages or sockets at rooms/"),
        ("board", "pages or sockets at board/"),
        ("admin", "pages or sockets at admin/"),
        ("static", "pages or sockets at static/"),
        ("ws", "pages or sockets at ws/"),
        ("echo", "pages or sockets at echo/"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, why: str) -> None:
    assert why in (startroom.refusal(name, ROOT / name) or "")


def test_a_refusal_is_a_sentence_and_leaves_all_as_it_was(project: Path) -> None:
    assert start(project, "quiz").returncode == 0
    before = files(project)
    for name in ("quiz", "class", "rooms"):
        result = start(project, name)
        assert (result.returncode, result.stdout) == (1, "")
        assert len(result.stderr.strip().splitlines()) == 1
        assert "choose another name" in result.stderr
    assert files(project) == before


def test_files_of_another_shape_are_left_alone_and_the_lines_are_told(project: Path) -> None:
    app = project / "app.py"
    text = app.read_text().replace("    *example_sockets,\n]", "    *example_sockets]")
    app.write_text(text)
    before = files(project)
    result = start(project, "quiz")
    assert result.returncode == 0
    assert "app.py was not changed, for its list websocket_urlpatterns" in result.stdout
    assert {path: files(project)[path] for path in before} == before
    for line in ('"quiz",', 'path("quiz/", include("quiz.urls")),', "*quiz_sockets,"):
        assert line in result.stdout
    assert (project / "quiz/consumers.py").exists()


@pytest.mark.parametrize("failing", [0, 1])
def test_nothing_is_left_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    app, conf = tmp_path / "app.py", tmp_path / "settings.py"
    for path in (app, conf):
        path.write_text("before")
    replace, calls = os.replace, iter(range(2))

    def full_disk(source: Path, target: Path) -> None:
        if next(calls) == failing:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        startroom.write(tmp_path / "quiz", {"a/b.py": "new"}, {app: "new", conf: "new"})
    assert files(tmp_path) == {"app.py": b"before", "settings.py": b"before"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.py", "settings.py"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_gets_a_sentence(project: Path) -> None:
    (project / ".secret-key").write_text("x" * 50)
    project.chmod(0o555)
    try:
        result = start(project, "quiz")
    finally:
        project.chmod(0o755)
    assert result.returncode == 1
    assert result.stderr.startswith("CommandError: Nothing was written: Permission denied")


def test_a_plain_django_project_is_told_what_to_add(tmp_path: Path) -> None:
    changes = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    run("-m", "django", "startproject", "bare", ".", cwd=tmp_path, env=changes)
    with (tmp_path / "bare/settings.py").open("a") as settings:
        settings.write(python_block("INSTALLED_APPS"))
    asgi = tmp_path / "bare/asgi.py"
    text = asgi.read_text().partition("application = ")[0] + python_block("ProtocolTypeRouter")
    asgi.write_text(text)
    result = run("manage.py", "startroom", "quiz", cwd=tmp_path, env=changes)
    assert (result.returncode, result.stderr) == (0, "")
    for line in (
        "settings.py, INSTALLED_APPS",
        "urls.py, imports, and urlpatterns",
        "bare/asgi.py, imports",
    ):
        assert line in result.stdout

    # Done as it was told.
    with (tmp_path / "bare/settings.py").open("a") as settings:
        settings.write('INSTALLED_APPS += ["quiz"]\nALLOWED_HOSTS += ["127.0.0.1"]\n')
    with (tmp_path / "bare/urls.py").open("a") as urls:
        urls.write("from django.urls import include\n")
        urls.write('urlpatterns += [path("quiz/", include("quiz.urls"))]\n')
    line = "from quiz.urls import websocket_urlpatterns as quiz_sockets\n"
    assert line in result.stdout
    text = text.replace("websocket = ", f"{line}websocket = ")
    list_now = "websocket_router([*websocket_urlpatterns, *quiz_sockets])"
    asgi.write_text(text.replace("websocket_router(websocket_urlpatterns)", list_now))
    options = ["-o", "asyncio_mode=auto", "--ds=bare.settings", "quiz"]
    result = pytest_run(tmp_path, *options)
    assert "2 passed" in result.stdout, result.stdout
