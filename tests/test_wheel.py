"""The wheel holds `realtime` and nothing else, and runs inside anybody's Django project."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import textwrap
import zipfile
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from tests.processes import ROOT, run, running
from tests.readme import python_block


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    result = run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT))
    assert result.returncode == 0, result.stdout + result.stderr
    [built] = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def without_checkout(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for a Python that sees the installed wheel and what it needs, and not this folder.

    Together with Python's -S, which leaves out the .pth file of an editable install.
    """
    target = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    result = run("-m", "pip", "install", "-q", *options, "--target", str(target), str(wheel))
    assert result.returncode == 0, result.stderr
    paths = [str(target), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return {"PYTHONPATH": ":".join(dict.fromkeys(paths)), "PYTHONSAFEPATH": ""}


@pytest.fixture(scope="module")
def project(without_checkout: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `django-admin startproject` makes, and what the README adds to it."""
    folder = tmp_path_factory.mktemp("project")
    result = run(
        "-S", "-m", "django", "startproject", "bare", ".", cwd=folder, env=without_checkout
    )
    assert result.returncode == 0, result.stderr
    with (folder / "bare/settings.py").open("a") as settings:
        settings.write(python_block("INSTALLED_APPS"))
    asgi = folder / "bare/asgi.py"
    first, _, _ = asgi.read_text().partition("application = ")
    asgi.write_text(first + python_block("ProtocolTypeRouter"))
    return folder


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_only_the_package_is_in_the_wheel(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in names(wheel)}
    assert tops == {"realtime", next(top for top in tops if top.endswith(".dist-info"))}


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "realtime").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here == {name for name in names(wheel) if name.startswith("realtime/")}
    assert {"realtime/py.typed", "realtime/templates/realtime/base.html"} <= here
    assert "realtime/static/realtime/realtime.css" in here


def test_the_license_is_in_the_wheel(wheel: Path) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in names(wheel))


def test_the_checkout_is_out_of_sight(without_checkout: dict[str, str], tmp_path: Path) -> None:
    code = "import realtime, importlib.util as u; print(realtime.__file__, u.find_spec('settings'))"
    result = run("-S", "-c", code, cwd=tmp_path, env=without_checkout)
    assert str(ROOT) not in result.stdout
    assert result.stdout.split()[1] == "None"


@pytest.mark.filterwarnings("default")
def test_a_bare_project_passes_its_check(project: Path, without_checkout: dict[str, str]) -> None:
    result = run("-S", "manage.py", "check", cwd=project, env=without_checkout)
    assert (result.returncode, result.stderr) == (0, "")
    assert "no issues" in result.stdout


def test_a_bare_project_echoes(
    project: Path, without_checkout: dict[str, str], tmp_path: Path
) -> None:
    command = ["-S", "-m", "uvicorn", "bare.asgi:application", "--port", "{port}"]
    changes = without_checkout | {
        "PYTHONPATH": f"{project}:{without_checkout['PYTHONPATH']}",
    }
    with running(*command, folder=tmp_path, cwd=project, env=changes) as process:
        for path in ("/ws/echo/", "/ws/real-time"):
            with connect(process.ws(path)) as socket:
                socket.send("hello")
                assert socket.recv(timeout=10) == "hello"
                socket.send(b"x" * 60_000)
                assert socket.recv(timeout=10) == b"x" * 60_000
        with (
            connect(process.ws("/ws/nothing/")) as socket,
            pytest.raises(ConnectionClosedError, match="4404"),
        ):
            socket.recv(timeout=10)
    assert "Traceback" not in process.said()
    assert "unsupported" not in process.said()


def test_the_types_of_the_wheel_are_seen(without_checkout: dict[str, str]) -> None:
    target = Path(without_checkout["PYTHONPATH"].partition(":")[0])
    assert (target / "realtime/py.typed").exists()
    assert sys.version_info >= (3, 11)


# An application of the project's own, with a model, a page, its tests, and a view that publishes.
NOTES = {
    "models.py": """
        from django.db import models

        class Note(models.Model):
            text = models.TextField()
    """,
    "urls.py": """
        from django.http import HttpResponse
        from django.urls import path
        from notes.models import Note
        from realtime import publish

        def page(request):
            return HttpResponse(", ".join(Note.objects.values_list("text", flat=True)))

        def add(request):
            note = Note.objects.create(text=request.POST["text"])
            publish("notes", {"text": note.text}, on_commit=True)
            return HttpResponse(status=201)

        urlpatterns = [path("", page), path("add/", add)]
    """,
    "tests.py": """
        import asyncio
        from channels.testing import WebsocketCommunicator
        from django.test import Client, TestCase, TransactionTestCase
        from bare.asgi import application
        from notes.models import Note

        class PageTest(TestCase):
            def test_it_lists_the_notes(self):
                Note.objects.create(text="milk")
                self.assertContains(self.client.get("/notes/"), "milk")

        class RoomTest(TransactionTestCase):
            async def test_a_note_is_published_to_the_room(self):
                headers = [(b"host", b"testserver")]
                browser = WebsocketCommunicator(application, "/ws/rooms/notes/", headers)
                assert (await browser.connect())[0]
                assert (await browser.receive_json_from())["type"] == "welcome"
                post = lambda: Client().post("/notes/add/", {"text": "eggs"})
                answer = await asyncio.to_thread(post)
                assert answer.status_code == 201
                while (frame := await browser.receive_json_from())["type"] != "message":
                    pass
                assert frame["data"] == {"text": "eggs"}
                await browser.disconnect()
    """,
}


def test_a_project_keeps_its_pages_its_database_and_its_tests(
    project: Path, without_checkout: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    shutil.copytree(project, folder)
    (folder / "notes/migrations").mkdir(parents=True)
    for empty in ("notes/__init__.py", "notes/migrations/__init__.py"):
        (folder / empty).touch()
    for name, text in NOTES.items():
        (folder / "notes" / name).write_text(textwrap.dedent(text))
    with (folder / "bare/settings.py").open("a") as settings:
        settings.write('INSTALLED_APPS += ["notes"]\n')
    with (folder / "bare/urls.py").open("a") as urls:
        urls.write("from django.urls import include\n")
        urls.write('urlpatterns += [path("notes/", include("notes.urls"))]\n')
    path = f"{folder}:{without_checkout['PYTHONPATH']}"
    environment = without_checkout | {"PYTHONWARNINGS": "default", "PYTHONPATH": path}
    for command in (["makemigrations", "notes"], ["test"]):
        result = run("-S", "manage.py", *command, cwd=folder, env=environment)
        assert result.returncode == 0, result.stdout + result.stderr
    assert "Ran 2 tests" in result.stderr
    assert "OK" in result.stderr
