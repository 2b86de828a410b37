"""Consumers."""

from __future__ import annotations

from channels.generic.websocket import AsyncWebsocketConsumer as ChannelsConsumer
from django.conf import settings

TOO_BIG = 1009


class AsyncWebsocketConsumer(ChannelsConsumer):
    pass


class EchoConsumer(AsyncWebsocketConsumer):
    """Sends text and bytes back as they came."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        size = len(text_data.encode()) if text_data is not None else len(bytes_data or b"")
        if size > settings.REALTIME_MAX_MESSAGE_SIZE:
            await self.close(TOO_BIG)
        else:
            await self.send(text_data=text_data, bytes_data=bytes_data)
