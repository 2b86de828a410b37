"""`python -m docs.generate.site [FOLDER]`: docs/ as a site that is read, and searched, offline.

It needs no server: it works from a folder or a USB stick. Nothing in it is fetched from elsewhere.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from html import escape, unescape
from itertools import pairwise
from pathlib import Path
from string import Template

from markdown_it import MarkdownIt
from markdown_it.token import Token

DOCS = Path(__file__).parent.parent
ROOT = DOCS.parent
FILES = Path(__file__).parent / "site_files"

# Pages that stand elsewhere in the project, and what they are called in the site.
GUESTS = {
    "README.md": "project.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/RESULTS.md": "results.md",
}
TAGS = re.compile(r"<[^>]+>")
SOURCES = re.compile(r'\b(src|srcset)="([^"]+)"')


class Page:
    """One Markdown file: its place in the site, its HTML, and what the search knows of it."""

    def __init__(self, source: Path, name: str) -> None:
        self.source, self.name = source, name
        self.place = re.sub(r"README\.md$", "index.html", name).removesuffix(".md")
        self.place += "" if self.place.endswith(".html") else ".html"
        tokens = _markdown.parse(source.read_text(encoding="utf-8"))
        self.sections = list(_with_ids(tokens))
        self.title = self.sections[0][1] if self.sections else name
        self._tokens = tokens

    @property
    def up(self) -> str:
        return "../" * self.place.count("/")

    def html(self, places: dict[Path, str]) -> str:
        for token in self._tokens:
            for child in token.children or []:
                if child.type == "html_inline":
                    child.content = self._led_in(child.content, places)
                for attribute in ("href", "src"):
                    if link := child.attrGet(attribute):
                        child.attrSet(attribute, self._led(str(link), places))
                        if not child.attrGet(attribute):
                            del child.attrs[attribute]
        return str(_markdown.renderer.render(self._tokens, _markdown.options, {}))

    def _led(self, link: str, places: dict[Path, str]) -> str:
        """A link of the sources, as it leads to the same place in the site; none to a folder."""
        path, hash_, anchor = link.partition("#")
        if "://" in link or not path:
            return link
        place = places.get(self._target(path))
        return self.up + place + hash_ + anchor if place else ""

    def _led_in(self, html: str, places: dict[Path, str]) -> str:
        """The same for what stands in HTML already."""
        return SOURCES.sub(lambda found: f'{found[1]}="{self._led(found[2], places)}"', html)

    def _target(self, path: str) -> Path:
        return (self.source.parent / path).resolve()

    def needed(self) -> list[Path]:
        """Files of the project that the page leads to, or shows."""
        text = self.source.read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)#\s]+)", text) + [each[1] for each in SOURCES.findall(text)]
        targets = [self._target(link) for link in links if "://" not in link]
        return [each for each in targets if each.is_file() and ROOT in each.parents]


_markdown = MarkdownIt("commonmark", {"html": True}).enable("table")


def _with_ids(tokens: list[Token]) -> list[tuple[str, str]]:
    """Id and text of each heading, which gets the id; as GitHub makes them."""
    found: list[tuple[str, str]] = []
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            text = "".join(child.content for child in inline.children or [])
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            anchor += f"-{n}" if (n := sum(anchor == each for each, _ in found)) else ""
            token.attrSet("id", anchor)
            found.append((anchor, text))
    return found


def build(folder: Path) -> list[Page]:
    """Write the site into `folder`, which is emptied before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pages = [Page(path, path.relative_to(DOCS).as_posix()) for path in sorted(DOCS.rglob("*.md"))]
    pages += [Page(ROOT / source, name) for source, name in GUESTS.items()]
    places = _copied(folder, pages) | {page.source: page.place for page in pages}
    template = Template((FILES / "page.html").read_text(encoding="utf-8"))
    index: list[dict[str, str]] = []
    for page in pages:
        html = page.html(places)
        fields = {"title": escape(page.title), "up": page.up, "nav": _nav(page, pages)}
        path = folder / page.place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template.substitute(fields, main=html), encoding="utf-8")
        index += _searched(page, html)
    script = f"window.searchIndex = {json.dumps(index, ensure_ascii=False)};\n"
    (folder / "index.js").write_text(script, encoding="utf-8")
    return pages


def _copied(folder: Path, pages: list[Page]) -> dict[Path, str]:
    """Files that pages lead to, and the site's own; where each source is."""
    places: dict[Path, str] = {}
    for path in {path for page in pages for path in page.needed() if path.suffix != ".md"}:
        name = "files/" + path.relative_to(ROOT).as_posix()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name)
        places[path] = name
    for name in ("site.css", "search.js"):
        shutil.copy(FILES / name, folder / name)
    return places


def _nav(current: Page, pages: list[Page]) -> str:
    """All pages, by folder; the first of each folder is its contents."""
    lines = []
    folder = None
    for page in sorted(pages, key=lambda page: (page.place.count("/"), _folder(page), _rank(page))):
        if _folder(page) != folder:
            folder = _folder(page)
            lines.append(f"<h2>{escape(folder.capitalize() or 'Documentation')}</h2>")
        here = ' aria-current="page"' if page is current else ""
        lines.append(f'<a href="{current.up}{page.place}"{here}>{escape(page.title)}</a>')
    return "\n".join(lines)


def _folder(page: Page) -> str:
    return page.place.rpartition("/")[0]


def _rank(page: Page) -> tuple[bool, str]:
    return not page.place.endswith("index.html"), page.place


def _searched(page: Page, html: str) -> list[dict[str, str]]:
    """One entry a section: where it is, its title, and its words."""
    entries = []
    for part in re.split(r'(?=<h[1-6] id=")', html):
        found = re.match(r'<h[1-6] id="([^"]*)">(.*?)</h', part, re.DOTALL)
        anchor, title = (found[1], found[2]) if found else ("", page.title)
        text = unescape(TAGS.sub(" ", re.sub(r"<!--.*?-->", "", part, flags=re.DOTALL)))
        if text.strip():
            where = f"{page.place}#{anchor}" if anchor else page.place
            name = unescape(TAGS.sub("", title))
            shown = name if name == page.title else f"{page.title}: {name}"
            entries.append({"at": where, "title": shown, "text": " ".join(text.split())})
    return entries


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0] if arguments else "site").resolve()
    pages = build(folder)
    print(f"{len(pages)} pages. Open {folder / 'index.html'}")  # noqa: T201 (a command)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
