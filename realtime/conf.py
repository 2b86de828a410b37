"""The defaults of every `REALTIME_` setting, for a Django project that names none of them.

`settings.py` beside the package has the same numbers with their reasons; a test compares the two.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

DEFAULTS: dict[str, Any] = {
    "REALTIME_HOST": "0.0.0.0",  # noqa: S104
    "REALTIME_PORT": 8000,
    "REALTIME_HTTPS": False,
    "REALTIME_MAX_MESSAGE_SIZE": 65_536,
    "REALTIME_MAX_BODY_SIZE": 33_554_432,
    "REALTIME_RATE_LIMIT": 20.0,
    "REALTIME_RATE_BURST": 40.0,
    "REALTIME_MAX_CONNECTIONS": 10_000,
    "REALTIME_MAX_MEMBERS": 2_000,
    "REALTIME_MAX_ROOMS": 1_000,
    "REALTIME_MAX_STREAMS": 1_000,
    "REALTIME_ROSTER_LIMIT": 200,
    "REALTIME_STATE_SIZE": 2_048,
    "REALTIME_OUTBOX_BYTES": 1_048_576,
    "REALTIME_OUTBOX_MESSAGES": 16_384,
    "REALTIME_SEND_TIMEOUT": 10.0,
    "REALTIME_STRICT_ORIGIN": False,
    "REALTIME_HISTORY_SIZE": 100,
    "REALTIME_HISTORY_AGE": 3_600.0,
    "REALTIME_HISTORY_TOTAL_BYTES": 134_217_728,
    "REALTIME_HEARTBEAT": 20.0,
    "REALTIME_GRACE": 15.0,
    "REALTIME_GRACE_RELOAD": 3.0,
    "REALTIME_PRESENCE_INTERVAL": 0.05,
    "REALTIME_API_TOKEN": "",
    "REALTIME_URL": "http://127.0.0.1:8000",
    "REALTIME_SNAPSHOT": "",
    "REALTIME_SNAPSHOT_INTERVAL": 300.0,
    "REALTIME_BUILD": "",
}


def fill_in(settings: Any) -> None:
    """Give `settings` each default that it does not have."""
    for name, default in DEFAULTS.items():
        if not hasattr(settings, name):
            setattr(settings, name, default)


@cache
def build() -> str:
    """Names what a browser runs of ours: other static files, another build."""
    files = sorted((Path(__file__).parent / "static").rglob("*.*"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
