"""The test matrix: `nox` runs what this machine has, and says what it skipped.

`nox -s tests --python 3.13` runs one; arguments behind `--` go to pytest.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

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


@nox.session(python="3.11")
def release(session: nox.Session) -> None:
    """`nox -s release -- 0.2.0`: checks, builds and tags it. To push and to upload is yours."""
    [version] = session.posargs or session.error("Which version? nox -s release -- 0.2.0")
    if session.run("git", "status", "--porcelain", external=True, silent=True):
        session.error("There are changes that are not committed")
    if nox.project.load_toml("pyproject.toml")["project"]["version"] != version:
        session.error(f"pyproject.toml names another version than {version}")
    heading = f"## [{version}] - {date.today().isoformat()}"
    if not re.search(f"^{re.escape(heading)}$", Path("CHANGELOG.md").read_text(), re.MULTILINE):
        session.error(f"CHANGELOG.md has no line {heading!r}")
    session.install("build>=1.2,<2", "twine>=6,<8", ".[test]")
    session.run("pytest")
    session.run("python", "-m", "build", "--outdir", f"dist/{version}")
    session.run("twine", "check", "--strict", *map(str, Path(f"dist/{version}").iterdir()))
    session.run(
        "git", "tag", "--annotate", f"v{version}", "-m", f"Version {version}", external=True
    )
    session.log(f"Now: git push --tags && twine upload dist/{version}/*")
