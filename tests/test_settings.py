"""`settings.py`: every setting is there, explained, overridable, and refused when it is wrong."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from realtime.conf import DEFAULTS, fill_in
from tests.processes import ROOT, run

# Section 8 of the design: those that must exist, by these names.
PROMISED = [
    "DEBUG",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "REALTIME_MAX_MESSAGE_SIZE",
    "REALTIME_RATE_LIMIT",
    "REALTIME_RATE_BURST",
    "REALTIME_MAX_CONNECTIONS",
    "REALTIME_MAX_MEMBERS",
    "REALTIME_MAX_ROOMS",
    "REALTIME_MAX_STREAMS",
    "REALTIME_ROSTER_LIMIT",
    "REALTIME_STATE_SIZE",
    "REALTIME_HISTORY_SIZE",
    "REALTIME_HISTORY_AGE",
    "REALTIME_HISTORY_TOTAL_BYTES",
    "REALTIME_OUTBOX_BYTES",
    "REALTIME_SEND_TIMEOUT",
    "REALTIME_HEARTBEAT",
    "REALTIME_GRACE",
    "REALTIME_GRACE_RELOAD",
    "REALTIME_PRESENCE_INTERVAL",
    "REALTIME_STRICT_ORIGIN",
    "REALTIME_API_TOKEN",
    "REALTIME_URL",
    "REALTIME_SNAPSHOT",
]

# Prints each setting that a variable may override, as the settings module has it.
DUMP = """
import json, settings
print(json.dumps({name: getattr(settings, name) for name in settings.env._names}))
"""


def dump(**variables: str) -> dict[str, Any]:
    result = run("-c", DUMP, env=variables)
    assert result.returncode == 0, result.stderr
    values: dict[str, Any] = json.loads(result.stdout)
    return values


def source() -> list[str]:
    return (ROOT / "settings.py").read_text().splitlines()


def test_every_promised_setting_exists() -> None:
    assert set(PROMISED) <= set(dump())


def test_the_defaults_are_those_of_a_project_that_names_none() -> None:
    values = dump()
    own = {name: value for name, value in values.items() if name in DEFAULTS}
    assert own == DEFAULTS
    missing = {name for name in values if name.startswith("REALTIME_")} - set(DEFAULTS)
    # Django's matters, not ours.
    assert missing == {"REALTIME_DATABASE", "REALTIME_LOG_FORMAT", "REALTIME_LOG_LEVEL"}


def test_a_project_keeps_what_it_has_set_and_gets_the_rest() -> None:
    class Settings:
        REALTIME_GRACE = 1.0

    settings: Any = Settings()
    fill_in(settings)
    assert settings.REALTIME_GRACE == 1.0
    assert DEFAULTS["REALTIME_HEARTBEAT"] == settings.REALTIME_HEARTBEAT


def test_every_setting_can_be_overridden() -> None:
    defaults = dump()
    given = {
        "REALTIME_LOG_FORMAT": "json",
        "REALTIME_LOG_LEVEL": "ERROR",
        "ALLOWED_HOSTS": "chat.example",
        "CSRF_TRUSTED_ORIGINS": "https://chat.example",
    }
    for name in defaults.keys() - given.keys():
        given[name] = another(defaults[name])
    values = dump(**given)
    assert [name for name in values if values[name] == defaults[name]] == []
    assert values["ALLOWED_HOSTS"][0] == "chat.example"


def test_every_setting_has_its_reason_above_it() -> None:
    lines = source()
    bare = []
    for node in ast.parse("\n".join(lines)).body:
        calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
        names = [ast.unparse(call.func) for call in calls]
        if not isinstance(node, ast.Assign) or "env" not in names:
            continue
        above = node.lineno - 2
        while lines[above].startswith(("REALTIME_", ")", "    ")):
            above -= 1  # a pair of settings may share one comment
        if not lines[above].startswith("# "):
            bare.append(ast.unparse(node.targets[0]))
    assert bare == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("REALTIME_PORT", "nan", "a whole number from 0 to 65,535"),
        ("REALTIME_GRACE", "nan", "a number from 0 to 86,400"),
        ("REALTIME_MAX_MESSAGE_SIZE", "0", "a whole number from 1 to 16,777,216"),
        ("DEBUG", "maybe", "true or false"),
        ("REALTIME_LOG_LEVEL", "loud", "one of DEBUG, INFO, WARNING, ERROR"),
        ("REALTIME_LOG_FORMAT", "xml", "one of line, json"),
        ("ALLOWED_HOSTS", "http://chat.example", "names without http://"),
        ("CSRF_TRUSTED_ORIGINS", "chat.example", "origins such as https://chat.example.com"),
        ("REALTIME_PROT", "9000", "did you mean REALTIME_PORT?"),
    ],
)
@pytest.mark.parametrize("command", ["app.py check", "-m uvicorn app:application --port 0"])
def test_a_wrong_setting_stops_the_start_with_one_sentence(
    command: str, name: str, text: str, words: str
) -> None:
    result = run(*command.split(), env={name: text})
    assert_one_sentence(result)
    assert name in result.stderr
    assert words in result.stderr


@pytest.mark.parametrize("command", ["app.py check", "-m uvicorn app:application --port 0"])
def test_a_folder_without_room_for_the_key_stops_the_start_with_one_sentence(
    tmp_path: Path, command: str
) -> None:
    copy_project(tmp_path)
    (tmp_path / ".secret-key").mkdir()  # even root cannot write a key there
    result = run(*command.split(), cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert_one_sentence(result)
    assert "set SECRET_KEY in the environment" in result.stderr


def test_a_key_in_the_environment_needs_no_file(tmp_path: Path) -> None:
    copy_project(tmp_path)
    changes = {"SECRET_KEY": "k" * 50, "PYTHONPATH": str(tmp_path)}
    assert run("app.py", "check", cwd=tmp_path, env=changes).returncode == 0
    assert not (tmp_path / ".secret-key").exists()


def test_cookies_have_names_of_our_own() -> None:
    import settings

    assert settings.SESSION_COOKIE_NAME != "sessionid"
    assert settings.CSRF_COOKIE_NAME != "csrftoken"


def another(default: object) -> str:
    """A value that is not the default, as a variable has it."""
    if isinstance(default, bool):
        return str(not default)
    if isinstance(default, int | float):
        return str(default + 1)
    return "http://another.example"


def assert_one_sentence(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 1
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "Traceback" not in result.stderr


def copy_project(folder: Path) -> None:
    shutil.copytree(ROOT / "examples", folder / "examples")
    for name in ("app.py", "settings.py"):
        shutil.copy(ROOT / name, folder)
