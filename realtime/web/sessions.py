"""Django's database sessions; what cannot be loaded is an anonymous visitor, said in one line.

A cookie of a deleted session, of another project on this address, or of a server whose tables
were never made must not keep anybody out of a page or a WebSocket.
"""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.db import DatabaseError

logger = logging.getLogger("realtime")


class SessionStore(DatabaseSessionStore):
    """The engine for SESSION_ENGINE; Django expects this name in the module."""

    def load(self) -> dict[str, Any]:
        asked = self.session_key
        try:
            data: dict[str, Any] = super().load()
        except DatabaseError as error:
            return self._forget(error)
        return data if self.session_key == asked else self._forget("unknown or expired")

    async def aload(self) -> dict[str, Any]:
        asked = self.session_key
        try:
            data: dict[str, Any] = await super().aload()
        except DatabaseError as error:
            return self._forget(error)
        return data if self.session_key == asked else self._forget("unknown or expired")

    def _forget(self, why: object) -> dict[str, Any]:
        self._session_key = None
        logger.info("A session cookie was ignored (%s): its sender is anonymous.", why)
        return {}
