"""The long form, by hand, guided by coverage: needs `pip install -e ".[test,fuzz]"` on Linux.

python -m tests.fuzz.run --minutes 10 wire rooms     look for more; without names, at all targets
python -m tests.fuzz.run --minutes 10 --keep         and keep what reached something new

It prints a row for each target, and ends with status 1 when something was found; the input lies in
the file that the row names, and `python -m tests.fuzz.run --again FILE wire` plays it once more.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.corpus import NAMES

# Longer inputs find nothing that shorter ones do not, and cost more.
LONGEST = {"rooms": 400, "attending": 300, "remembering": 300, "post": 400, "poll": 200}

# A story that takes longer than this many seconds has found something, too.
SLOWEST = 20


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--keep", action="store_true", help="write the corpus back, minimised")
    parser.add_argument("--again", metavar="FILE", help="play one input once more")
    options = parser.parse_args(arguments)
    if unknown := set(options.targets) - set(NAMES):
        parser.error(f"there is no target {', '.join(sorted(unknown))}: {', '.join(NAMES)}")
    if find_spec("atheris") is None:
        print('The guided fuzzer is not installed: pip install -e ".[test,fuzz]" (Linux).')  # noqa: T201
        return 2
    if options.again:
        return _child(options.targets[0], options.again).returncode
    results = [_fuzz(name, options.minutes, options.keep) for name in options.targets or NAMES]
    return 1 if any(results) else 0


def _fuzz(target: str, minutes: float, keep: bool) -> bool:
    """Whether something was found."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "inputs"
        corpus.unpack(target, inputs)
        seconds = int(minutes * 60)
        found_at = Path(tempfile.gettempdir()) / f"fuzz-{target}-"
        done = _child(
            target,
            str(inputs),
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST.get(target, 1000)}",
            f"-timeout={SLOWEST}",
            f"-artifact_prefix={found_at}",
            "-print_final_stats=1",
            "-rss_limit_mb=4096",
        )
        said = done.stdout + done.stderr
        found = re.findall(r"Test unit written to (\S+)", said)
        print(_row(target, minutes, said, found), flush=True)  # noqa: T201
        if found:
            print(said[-4000:], flush=True)  # noqa: T201
        if keep:
            _setup()
            from tests.fuzz.targets import TARGETS

            kept = corpus.load(target)
            corpus.save(target, corpus.more(TARGETS[target], corpus.pack(inputs), kept=kept))
    return bool(found) or done.returncode != 0


def _setup() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    import django

    django.setup()


def _row(target: str, minutes: float, said: str, found: list[str]) -> str:
    tried = int((re.findall(r"number_of_executed_units:\s+(\d+)", said) or ["0"])[-1])
    features = (re.findall(r"ft: (\d+)", said) or ["?"])[-1]
    what = ", ".join(found) or "nothing"
    return f"| {target} | {minutes:g} min | {tried:,} | {features} | {what} |"


def _child(target: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """libFuzzer ends the process that it runs in, so it gets one of its own."""
    command = [sys.executable, "-m", "tests.fuzz.guided", target, *arguments]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings"}
    captured = not (arguments and Path(arguments[0]).is_file())
    return subprocess.run(command, env=environment, capture_output=captured, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
