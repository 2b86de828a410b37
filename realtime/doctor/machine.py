"""What the doctor asks of this machine: Python and its packages, workers, clock and disk."""

from __future__ import annotations

import ctypes
import importlib.metadata as metadata
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from realtime.doctor.finding import Finding, note, ok, problem

DISTRIBUTION = "django-realtime-rooms"
SHOWN = ("django", "channels", "uvicorn", "websockets")
# What makes it faster where it is there, and is not there on every system.
FASTER = ("uvloop", "httptools")
SERVERS = ("uvicorn", "daphne", "hypercorn", "granian")

# What ntp_adjtime(3) answers when nobody has set the clock right.
TIME_ERROR = 5
# A clock before this is one of a machine without a battery that has not been set: 2025-01-01.
EARLIEST = 1_735_689_600

LITTLE, TOO_LITTLE = 500_000_000, 50_000_000  # bytes free


def look() -> Iterator[Finding]:
    yield from versions()
    yield from servers()
    yield from clock(time.time(), _clock_state())


def versions(name: str = DISTRIBUTION) -> Iterator[Finding]:
    """Whether each package is there, and in a version that this one was tested with."""
    try:
        needed = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        text = f"{name} is not installed, so the versions it needs are not known."
        yield note("packages", text, "pip install -e . (in the clone), or pip install the wheel.")
        return
    wrong = [finding for each in needed if "extra ==" not in each for finding in _package(each)]
    found = [f"{each} {version(each)}" for each in SHOWN if version(each)]
    python = ".".join(map(str, sys.version_info[:3]))
    yield from wrong or [ok("packages", f"Python {python}, {', '.join(found)}.")]


def _package(requirement: str) -> Iterator[Finding]:
    name, bounds, optional = _parsed(requirement)
    here = version(name)
    mend = f'pip install "{name}{bounds}"'
    if here is None:
        if optional:
            yield note("packages", f"{name} is not installed; it is on most systems.", mend)
        else:
            yield problem("packages", f"{name} is not installed.", mend)
    elif not is_within(here, bounds):
        yield problem("packages", f"{name} is {here}, and must be {bounds}.", mend)


def _parsed(requirement: str) -> tuple[str, str, bool]:
    """Of `uvloop<1,>=0.21; sys_platform != …`: name, bounds, and whether not for each system."""
    text, _, marker = requirement.partition(";")
    name, bounds = re.fullmatch(r"([\w.-]+)\s*(.*)", text.strip()).groups()  # type: ignore[union-attr]
    return name, bounds.strip(" ()"), bool(marker)


def version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def is_within(here: str, bounds: str) -> bool:
    """`bounds` of >= and < only, as all of ours are."""
    for sign, bound in re.findall(r"(>=|<)\s*([\d.]+)", bounds):
        if (_numbers(here) >= _numbers(bound)) != (sign == ">="):
            return False
    return True


def _numbers(text: str) -> list[int]:
    """Without zeros at the end: 5.2 is 5.2.0."""
    numbers = [int(part) for part in re.findall(r"\d+", re.match(r"[\d.]*", text)[0])]  # type: ignore[index]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def servers() -> Iterator[Finding]:
    """Who can serve, and how fast."""
    there = [name for name in SERVERS if version(name)]
    if not there:
        yield problem("server", "No ASGI server is installed.", 'pip install "uvicorn>=0.54"')
        return
    missing = [name for name in FASTER if not version(name)]
    if missing and sys.platform != "win32":
        text = f"{there[0]} serves; it would be faster with {' and '.join(missing)}."
        yield note("server", text, f"pip install {' '.join(missing)}")
    else:
        yield ok("server", f"{there[0]} serves, with {' and '.join(set(FASTER) - set(missing))}.")


def clock(now: float, state: int | None) -> Iterator[Finding]:
    """`now` in Unix seconds; `state` as ntp_adjtime(3) answers, None where that cannot be asked."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    mend = "sudo timedatectl set-ntp true (Linux), or the date settings of this system."
    if now < EARLIEST:
        yield problem("clock", f"The clock says {shown}: times are wrong, and https fails.", mend)
    elif state == TIME_ERROR:
        text = f"The clock says {shown}, but no time server has set it: it may step."
        yield note("clock", f"{text} Rooms do not mind; times that are shown do.", mend)
    else:
        yield ok("clock", f"The clock says {shown}.")


def _clock_state() -> int | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512)))
    except (OSError, AttributeError):
        return None


def folder(path: Path, what: str) -> Iterator[Finding]:
    """Whether `what` can be written at `path`, and has the room."""
    existing = next(each for each in (path, *path.parents) if each.exists())
    if not os.access(existing, os.W_OK):
        yield problem("disk", f"{what} cannot be written: {path}", f"chown or chmod {existing}")
        return
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:.1f} GB free for {what}."
    if free < LITTLE:
        kind = problem if free < TOO_LITTLE else note
        yield kind("disk", text, f"Make room on the disk of {existing}.")
    else:
        yield ok("disk", text)


def private(path: Path) -> Iterator[Finding]:
    """Whether others on this machine can read the secret key."""
    if os.name == "posix" and path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield problem("disk", f"Others can read the secret key in {path}.", f"chmod 600 {path}")
