"""Where built programs and Node's packages live: outside the repository."""

import hashlib
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
NAME = "django-realtime-benchmarks"


def folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / NAME


def shown() -> str:
    """The folder as a reader may type it, without anybody's home in it."""
    return str(folder()).replace(str(Path.home()), "~", 1)


def build(name: str) -> Path:
    """The program made from `<name>.c`; compiled once for each version of its source."""
    source = HERE / f"{name}.c"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    program = folder() / f"{name}-{digest}"
    if not program.exists():
        folder().mkdir(parents=True, exist_ok=True)
        _compile(source, program)
    return program


def _compile(source: Path, program: Path) -> None:
    # Under another name first: a compiler that is stopped leaves no half a program.
    draft = program.with_suffix(f".{os.getpid()}")
    subprocess.run(["cc", "-O2", "-o", str(draft), str(source)], check=True)
    draft.replace(program)
