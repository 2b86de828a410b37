"""`python -m docs.generate`: write the generated parts anew; `--check` only says what is old."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from docs.generate import api_page, asyncapi, codes_page, settings_page, wire_page

DOCS = Path(__file__).parent.parent
MARK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
PARTS: dict[str, Callable[[], str]] = {
    "settings": settings_page.section,
    "surface": api_page.surface,
    "consumer_methods": api_page.methods,
    "client_messages": wire_page.client,
    "server_messages": wire_page.server,
    "close_codes": codes_page.closes,
    "error_codes": codes_page.errors,
}


def files() -> dict[Path, str]:
    """Every file with something generated in it, as it has to be."""
    pages = (path for path in DOCS.rglob("*.md") if MARK.search(path.read_text(encoding="utf-8")))
    wanted = {path: MARK.sub(_filled, path.read_text(encoding="utf-8")) for path in pages}
    return wanted | {DOCS / "asyncapi.json": asyncapi.text()}


def _filled(found: re.Match[str]) -> str:
    return f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[3]}"


def main(arguments: list[str]) -> int:
    old = [p for p, text in files().items() if not p.exists() or p.read_text("utf-8") != text]
    for path, text in files().items():
        if path in old and "--check" not in arguments:
            path.write_text(text, encoding="utf-8", newline="\n")
    for path in old:
        print(path.relative_to(DOCS.parent))  # noqa: T201 (a command)
    return 1 if old and "--check" in arguments else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
