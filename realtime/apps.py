"""The Django application `realtime`."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings

from realtime import conf


class RealtimeConfig(AppConfig):
    name = "realtime"
    verbose_name = "Real-time"

    def ready(self) -> None:
        from realtime import checks  # noqa: F401 (registers them)

        conf.fill_in(settings)
