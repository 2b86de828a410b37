"""Settings from the environment: typed, range-checked, and never silently ignored.

A setting's type is the type of its default; msgspec parses the text. Whatever cannot be used
stops the start with one sentence that names the variable. What the settings *are* stands in
`settings.py`; this file only reads them.
"""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from django.core.management.utils import get_random_secret_key

PREFIX = "REALTIME_"

# Patterns for `Environment`: a name for ALLOWED_HOSTS, an origin (perhaps https://*.example.com),
# and a URL.
HOST = r"^(?i:\*|\.?[a-z0-9.-]+|\[[0-9a-f:.]+\])\Z"
ORIGIN = r"^(?i:https?://(\*\.)?([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?)\Z"
URL = r"^(?i:https?://[^\s/]+)"

T = TypeVar("T", bool, int, float, str, list[str])


class BadSetting(SystemExit):
    """A setting that cannot be used: the process ends with this sentence and status 1."""


class Environment:
    """Reads variables, and remembers which names exist so that a misspelt one is noticed."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._names: set[str] = set()

    def __call__(
        self,
        name: str,
        default: T,
        *,
        low: float | None = None,
        high: float | None = None,
        choices: tuple[str, ...] = (),
        pattern: str | None = None,
        wanted: str = "",
    ) -> T:
        """The variable's value in the type of `default`.

        `low` and `high` are inclusive; `pattern` is what a text, or each of a list, must match,
        and `wanted` says it in words.
        """
        self._names.add(name)
        text = self._variables.get(name)
        if text is None:
            return default
        limits: Any = {"pattern": pattern} if isinstance(default, str) else {"ge": low, "le": high}
        kind: Any = Annotated[type(default), msgspec.Meta(**limits)]
        value: object = text
        if choices:
            kind = Literal[choices]
        elif isinstance(default, list):
            kind = list[Annotated[str, msgspec.Meta(pattern=pattern)]]
            value = [part.strip() for part in text.split(",") if part.strip()]
        try:
            return cast(T, msgspec.convert(value, kind, strict=False))
        except msgspec.ValidationError:
            raise BadSetting(
                f"The environment variable {name}={text!r} cannot be used: "
                f"it must be {wanted or _wanted(default, low, high, choices)}."
            ) from None

    def refuse_unknown(self) -> None:
        """Stop the start when a variable with our prefix is no setting of ours."""
        unknown = {name for name in self._variables if name.startswith(PREFIX)} - self._names
        for name in sorted(unknown):
            close = difflib.get_close_matches(name, self._names, n=1)
            hint = f"did you mean {close[0]}?" if close else "settings.py lists those that exist."
            raise BadSetting(
                f"The environment variable {name} is no setting of this server: {hint}"
            )


def secret_key(path: Path) -> str:
    """The key in the file at `path`; made once, readable by its owner only.

    A file that a power cut left empty or cut short is replaced.
    """
    try:
        key = path.read_text().strip()
        if len(key) < 50:
            _write_private(path, get_random_secret_key() + get_random_secret_key())
            key = path.read_text().strip()
    except FileNotFoundError:
        _write_private(path, get_random_secret_key() + get_random_secret_key())
        return secret_key(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(
            f"The secret key in {path} can be neither read nor made ({error}): "
            "make the folder writable, or set SECRET_KEY in the environment."
        ) from None
    return key


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all: a temporary file (which `mkstemp` makes with mode 0600), renamed."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError as error:
        raise BadSetting(
            f"No secret key can be stored in {path} ({error.strerror}): "
            "make the folder writable, or set SECRET_KEY in the environment."
        ) from None


def _wanted(
    default: object, low: float | None, high: float | None, choices: tuple[str, ...]
) -> str:
    if choices:
        return f"one of {', '.join(choices)}"
    kind = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
    return kind if low is None else f"{kind} from {low:,} to {high:,}"
