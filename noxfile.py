"""The test matrix: `nox` runs what this machine has, and says what it skipped.

`nox -s tests-3.13` runs one; arguments behind `--` go to pytest.
"""

from __future__ import annotations

import nox

nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "loop", "oldest", "audit"]

# Which Django runs on which Python: 6.0 asks for 3.12.
MATRIX = [
    ("3.11", "5.2"),
    ("3.12", "5.2"),
    ("3.12", "6"),
    ("3.13", "6"),
    ("3.14", "6"),
]


@nox.session
@nox.parametrize(("python", "django"), MATRIX)
def tests(session: nox.Session, django: str) -> None:
    """All tests."""
    session.install(
        "-e", ".[test]", f"django~={django}.0" if "." in django else f"django=={django}.*"
    )
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def loop(session: nox.Session) -> None:
    """On asyncio's own loop, which is what Windows has, instead of uvloop's."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pip", "uninstall", "--yes", "uvloop", silent=True)
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def oldest(session: nox.Session) -> None:
    """The oldest versions that pyproject.toml allows."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    pinned = [line.split(",")[0].replace(">=", "==") for line in project["dependencies"]]
    markers = [line.partition(";")[2] for line in project["dependencies"]]
    pins = [
        f"{pin};{marker}" if marker else pin for pin, marker in zip(pinned, markers, strict=True)
    ]
    session.install("-e", ".[test]", *pins)
    session.run("pytest", *session.posargs)


@nox.session(python="3.11")
def audit(session: nox.Session) -> None:
    """Known holes in what is installed. Needs the internet, and is skipped without."""
    session.install("-e", ".", "pip-audit>=2.7,<3")
    status = session.run("pip-audit", "--skip-editable", success_codes=[0, 1], silent=True) or ""
    session.log(str(status))
    if "ConnectionError" in str(status):
        session.skip("The list of known holes could not be reached.")
