"""`python -m realtime.doctor FOLDER`: the files alone, for a project that does not even start."""

from __future__ import annotations

import sys
from pathlib import Path

from realtime.doctor.finding import Verdict, count
from realtime.doctor.project import look
from realtime.doctor.report import as_json, as_text


def main(arguments: list[str]) -> int:
    folders = [argument for argument in arguments if argument != "--json"]
    findings = look(Path(folders[0] if folders else ".").resolve())
    lines = [as_json(findings)] if "--json" in arguments else as_text(findings)
    print("\n".join(lines))  # noqa: T201 (a command)
    return 1 if count(findings, Verdict.PROBLEM) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
