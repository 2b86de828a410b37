"""One target under libFuzzer, as `run.py` starts it: it sees which lines of ours each input runs.

atheris must see our modules before anybody else imports them.
"""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    name, *arguments = sys.argv[1:]
    import django

    with atheris.instrument_imports(include=["realtime"]):
        django.setup()
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
