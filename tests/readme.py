"""What README.md says, for the tests that hold it to its word."""

from __future__ import annotations

import re

from tests.processes import ROOT

TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def python_block(word: str) -> str:
    """The one Python block that has `word` in it."""
    [found] = [block for block in blocks("python") if word in block]
    return found


def command(name: str) -> str:
    """The command under `<!-- command: name -->`."""
    [found] = re.findall(
        rf"^<!-- command: {name} -->\n```sh\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL
    )
    return str(found)
