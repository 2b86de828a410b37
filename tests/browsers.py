"""The system's Chromium: where it is, how it is started, when tests of pages are skipped."""

from __future__ import annotations

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

# The server that a browser opens.
COMMAND = ["-m", "uvicorn", "app:application", "--port", "{port}"]

# Headless as root, and silent: Chromium asks its makers' servers many things when nobody says no.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    # A name on plain http, as a screen on a wall has it.
    "--host-resolver-rules=MAP kiosk.local 127.0.0.1",
]

# For a module of such tests.
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        CHROMIUM is None and os.environ.get("CI") != "true",
        reason="no Chromium here: install it to run the browser tests",
    ),
]
