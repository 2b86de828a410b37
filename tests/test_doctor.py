"""`python app.py doctor`: what it asks of the machine, the settings and the running server."""

from __future__ import annotations

import errno
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from realtime.doctor import configured, machine, running
from realtime.doctor.finding import Finding, Verdict, count, note, ok, problem
from realtime.doctor.machine import is_within
from realtime.doctor.report import as_json, as_text
from realtime.hosts import local_hosts
from realtime.management.commands.doctor import once
from tests.processes import Process, free_port, run

Start = Callable[..., Process]
NOW = 1_800_000_000.0


def verdicts(findings: Iterator[Finding]) -> list[str]:
    """Whatever is not well must come with its mend."""
    found = list(findings)
    assert all(each.mend for each in found if each.verdict is not Verdict.OK)
    return [str(each.verdict) for each in found]


# --- The machine ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("here", "bounds", "within"),
    [
        ("5.2.19", "<7,>=5.2", True),
        ("5.2", ">=5.2.0,<7", True),
        ("7.0", ">=5.2,<7", False),
        ("6.9.9", ">=5.2,<7", True),
        ("5.1.9", ">=5.2,<7", False),
        ("0.6.10", ">=0.6.4,<1", True),
        ("1.0rc1", "<1", False),
        ("1.0", "", True),
    ],
)
def test_a_version_is_held_against_its_bounds(here: str, bounds: str, within: bool) -> None:
    assert is_within(here, bounds) is within


@pytest.mark.parametrize(
    ("needs", "found"),
    [
        (["django<7,>=5.2", 'pytest<10; extra == "test"'], ["ok"]),
        (["django<2,>=1"], ["problem"]),
        (["no-such-package>=1"], ["problem"]),
        (['no-such-package>=1; sys_platform != "win32"'], ["note"]),
    ],
)
def test_each_package_must_be_there_and_within_its_bounds(
    monkeypatch: pytest.MonkeyPatch, needs: list[str], found: list[str]
) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda name: needs)
    assert verdicts(machine.versions()) == found


def test_a_package_that_was_not_installed_is_a_note() -> None:
    assert verdicts(machine.versions("no-such-distribution")) == ["note"]


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ({"uvicorn", "uvloop", "httptools"}, "ok"),
        ({"uvicorn"}, "note"),
        ({"daphne", "uvloop", "httptools"}, "ok"),
        (set(), "problem"),
    ],
)
def test_who_can_serve_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, there: set[str], found: str
) -> None:
    monkeypatch.setattr(machine, "version", lambda name: "1" if name in there else None)
    assert verdicts(machine.servers()) == [found]


@pytest.mark.parametrize(
    ("now", "state", "found"),
    [(NOW, 0, "ok"), (NOW, None, "ok"), (NOW, machine.TIME_ERROR, "note"), (1000.0, 0, "problem")],
)
def test_a_clock_that_nobody_set_is_found(now: float, state: int | None, found: str) -> None:
    assert verdicts(machine.clock(now, state)) == [found]


@pytest.mark.parametrize(("free", "found"), [(10**10, "ok"), (10**8, "note"), (10**6, "problem")])
def test_room_on_the_disk_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, found: str
) -> None:
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert verdicts(machine.folder(tmp_path / "not" / "there", "the snapshot")) == [found]


def test_a_folder_that_cannot_be_written_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    [finding] = machine.folder(tmp_path, "the snapshot")
    assert finding.verdict is Verdict.PROBLEM
    assert "the snapshot cannot be written" in finding.text


@pytest.mark.parametrize(("mode", "found"), [(0o600, []), (0o644, ["problem"])])
def test_a_key_that_others_can_read_is_a_problem(
    tmp_path: Path, mode: int, found: list[str]
) -> None:
    key = tmp_path / ".secret-key"
    key.write_text("x")
    key.chmod(mode)
    assert verdicts(machine.private(key)) == found
    assert verdicts(machine.private(tmp_path / "none")) == []


# --- The settings --------------------------------------------------------------------------------


def test_system_checks_are_taken_over(settings: Any) -> None:
    assert verdicts(configured.checks()) == ["ok"]
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    assert verdicts(configured.checks()) == ["note"]
    settings.CHANNEL_LAYERS = {}
    assert verdicts(configured.checks()) == ["problem"]


def test_several_workers_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    [finding] = configured.checks()
    assert finding.verdict is Verdict.PROBLEM
    assert finding.text.startswith("WEB_CONCURRENCY=4 starts several processes")


@pytest.mark.parametrize(
    ("allowed", "found"),
    [(["*"], "note"), (["chat.example"], "problem"), (["192.168.0.7"], "ok"), ([], "problem")],
)
def test_whether_phones_are_served_is_looked_at(
    settings: Any, monkeypatch: pytest.MonkeyPatch, allowed: list[str], found: str
) -> None:
    monkeypatch.setattr(configured, "lan_addresses", lambda: ["192.168.0.7"])
    settings.ALLOWED_HOSTS = allowed
    assert verdicts(configured.hosts()) == [found]


@pytest.mark.parametrize(
    ("addresses", "host", "found"),
    [
        (["192.168.0.7"], "0.0.0.0", "ok"),
        ([], "0.0.0.0", "note"),
        (["192.168.0.7"], "127.0.0.1", "note"),
    ],
)
def test_addresses_for_phones_are_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch, addresses: list[str], host: str, found: str
) -> None:
    monkeypatch.setattr(configured, "lan_addresses", lambda: addresses)
    settings.REALTIME_HOST = host
    assert verdicts(configured.addresses()) == [found]


def test_a_name_of_this_machine_is_said_once(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*.example", "vm", "vm", "192.168.0.7", *local_hosts()]
    [finding] = configured.hosts()
    names = finding.text.rstrip(".").removeprefix("Opened by: ").split(", ")
    assert "vm" in names
    assert len(names) == len(set(names))


def test_one_room_is_not_called_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ask", lambda path: {"rooms": [{"members": 1}]})
    assert [finding.text for finding in running.api()] == ["1 room, 1 member."]


def test_origins_are_named(settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS, settings.REALTIME_STRICT_ORIGIN = ["https://a.example"], True
    [finding] = configured.origins()
    assert "https://a.example" in finding.text
    assert finding.text.endswith("are refused.")


def test_a_port_is_free_or_anothers(settings: Any) -> None:
    settings.REALTIME_HOST, settings.REALTIME_PORT = "127.0.0.1", free_port()
    assert verdicts(configured.port()) == ["ok"]
    with socket.create_server(("127.0.0.1", settings.REALTIME_PORT)) as other:
        other.settimeout(0)
        assert verdicts(configured.port()) == ["problem"]
    settings.REALTIME_HOST = "192.0.2.250"
    assert verdicts(configured.port()) == ["problem"]


def test_a_port_for_the_administrator_says_so() -> None:
    finding = configured._taken(80, OSError(errno.EACCES, "Permission denied"))
    assert "not for ordinary users" in finding.text


@pytest.mark.parametrize(
    ("application", "found"),
    [
        ("app.application", "ok"),
        ("app.http", "problem"),
        ("nothing.application", "problem"),
        (None, "note"),
    ],
)
def test_the_application_must_have_sockets(settings: Any, application: Any, found: str) -> None:
    settings.ASGI_APPLICATION = application
    assert verdicts(configured.sockets()) == [found]


def test_the_mend_names_the_command_of_the_project(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ASGI_APPLICATION, settings.SETTINGS_MODULE = None, "mysite.settings"
    [finding] = configured.sockets()
    assert finding.mend.startswith('ASGI_APPLICATION = "mysite.asgi.application"')
    monkeypatch.setattr("sys.argv", ["manage.py", "doctor"])
    assert configured.serve_command() == "python manage.py serve"
    monkeypatch.setattr("sys.argv", ["app.py", "doctor"])
    assert configured.serve_command() == "python app.py"


def test_a_layer_without_its_redis_is_a_problem(settings: Any) -> None:
    def layer(*hosts: Any) -> None:
        backend = "channels_redis.core.RedisChannelLayer"
        settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [*hosts]}}}

    assert verdicts(configured.layer()) == []
    layer(("127.0.0.1", free_port()), f"redis://127.0.0.1:{free_port()}/0")
    assert verdicts(configured.layer()) == ["problem", "problem"]
    with socket.create_server(("127.0.0.1", 0)) as redis:
        port = redis.getsockname()[1]
        layer({"address": f"redis://127.0.0.1:{port}"}, ["127.0.0.1", port])
        assert verdicts(configured.layer()) == []


def test_a_redis_without_hosts_is_the_usual_one() -> None:
    assert configured.redis_addresses([]) == [("127.0.0.1", 6379)]


def test_no_database_is_well_and_none_is_made(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(tmp_path / "none.sqlite3"))
    assert verdicts(configured.database()) == ["ok"]
    assert not (tmp_path / "none.sqlite3").exists()


# --- The whole -----------------------------------------------------------------------------------


def doctor(port: int, *arguments: str, **more: str) -> Any:
    changes = {"REALTIME_URL": f"http://127.0.0.1:{port}", "REALTIME_PORT": str(port), **more}
    return run("app.py", "doctor", *arguments, env=changes)


def test_without_a_server_it_still_says_all(tmp_path: Path) -> None:
    result = doctor(free_port(), REALTIME_DATABASE=str(tmp_path / "db.sqlite3"))
    assert (result.returncode, result.stderr) == (0, "")
    for words in ("uvicorn serves", "is free", "No server answers at", "well-known mistakes"):
        assert words in result.stdout
    assert not (tmp_path / "db.sqlite3").exists()


def test_with_a_server_it_asks_that_too(start: Start, tmp_path: Path) -> None:
    process = start("-m", "uvicorn", "app:application", "--port", "{port}")
    result = doctor(process.port, "--json", REALTIME_DATABASE=str(tmp_path / "db.sqlite3"))
    report = json.loads(result.stdout)
    assert (result.returncode, report["problems"]) == (0, 0)
    texts = [finding["text"] for finding in report["findings"]]
    assert "A WebSocket gets through and back." in texts
    assert "0 rooms, 0 members." in texts
    assert f"Port {process.port}: this server runs there." in texts


def test_a_server_that_speaks_no_websocket_is_a_problem() -> None:
    assert verdicts(running.sockets(f"http://127.0.0.1:{free_port()}")) == ["problem"]


def test_another_token_than_the_servers_is_a_problem(start: Start) -> None:
    process = start("-m", "uvicorn", "app:application", "--port", "{port}", REALTIME_API_TOKEN="a")
    result = doctor(process.port, REALTIME_API_TOKEN="b")
    assert result.returncode == 1
    assert "Give both sides the same REALTIME_API_TOKEN." in result.stdout


def test_another_programs_port_is_a_problem_with_status_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = doctor(other.getsockname()[1], REALTIME_HOST="127.0.0.1")
    assert result.returncode == 1
    assert "is another program's" in result.stdout
    assert "1 problem" in result.stdout
    assert "Traceback" not in result.stderr


def test_problems_stand_last_and_each_has_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    broken = problem("x", "It is broken. " * 9, "Do this.")
    findings = [broken, note("x", "Hm.", "Look."), ok("x", "Well.")]
    lines = list(as_text(findings))
    assert lines[:3] == ["ok       Well.", "note     Hm.", "         → Look."]
    assert lines[3].startswith("problem  It is broken.")
    assert lines[-1] == "1 problem, 1 note."
    assert max(map(len, lines)) <= 60
    assert not any("\x1b" in line for line in lines)
    assert "\x1b[32m" in next(iter(as_text(findings, is_painted=True)))
    assert list(as_text([ok("x", "Well.")]))[-1] == "All is well."
    assert json.loads(as_json(findings))["problems"] == count(findings, Verdict.PROBLEM) == 1


def test_a_mistake_is_said_once_and_with_its_place() -> None:
    placed = Finding(verdict=Verdict.NOTE, topic="x", text="a", place="a.py:1", mistake="star")
    bare = Finding(verdict=Verdict.NOTE, topic="x", text="a", mistake="star")
    assert once(iter([bare, placed])) == [placed]
    assert once(iter([bare])) == [bare]
