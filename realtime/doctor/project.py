"""All that can be seen in a project's files."""

from __future__ import annotations

from pathlib import Path

from realtime.doctor import asgi_file, consumer_classes, page_files, settings_file
from realtime.doctor.finding import Finding, note, ok
from realtime.doctor.sources import Project
from realtime.words import counted


def look(folder: Path) -> list[Finding]:
    project = Project(folder)
    if not project.python:
        return [note("project", f"No Python file in {folder}.", "Name the folder of manage.py.")]
    parts = (settings_file, asgi_file, consumer_classes, page_files)
    found = [finding for part in parts for finding in part.look(project)]
    files = counted(len(project.python) + len(project.pages), "file")
    return found or [ok("project", f"None of the well-known mistakes in {files}.")]
