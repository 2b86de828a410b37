"""Parts of RESULTS.md that another command has written: each stands between two comments."""

import re

MARKS = "<!-- {name} -->", "<!-- end of {name} -->"
SECTION = re.compile(r"<!-- (\w+) -->\n.*?<!-- end of \1 -->\n", re.DOTALL)


def put(document: str, name: str, text: str) -> str:
    """`document` with `text` in the place of that section, or at its end."""
    begin, end = (mark.format(name=name) for mark in MARKS)
    new = f"{begin}\n\n{text}\n\n{end}\n"
    for old in SECTION.finditer(document):
        if old[1] == name:
            return document[: old.start()] + new + document[old.end() :]
    return f"{document.rstrip()}\n\n{new}".lstrip()


def carry(old: str, document: str) -> str:
    """`document` with the sections of `old`, which it does not know."""
    return "\n".join([document, *(section[0] for section in SECTION.finditer(old))])
