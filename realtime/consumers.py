"""The consumers to build on, and the echo."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer as ChannelsJsonConsumer

from realtime.codec import BadMessage, encode
from realtime.codes import CloseCode, ErrorCode
from realtime.consumer import AsyncWebsocketConsumer
from realtime.limits import Strikes

__all__ = ["AsyncJsonWebsocketConsumer", "AsyncWebsocketConsumer", "EchoConsumer"]


class AsyncJsonWebsocketConsumer(AsyncWebsocketConsumer, ChannelsJsonConsumer):
    """Drop-in for `channels.generic.websocket.AsyncJsonWebsocketConsumer`.

    A frame that is no JSON is answered with an `error` message and the socket lives; twenty in a
    row end it with 4400.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._strikes = Strikes()

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any
    ) -> None:
        try:
            content = await self._decode(text_data)
        except BadMessage as bad:
            await self._refuse(bad)
        else:
            self._strikes.good()
            await self.receive_json(content, **kwargs)

    async def send_json(self, content: Any, close: Any = False) -> None:
        """As in Channels, by the short way: theirs makes an ASGI event in between."""
        await super().send(text_data=await self.encode_json(content), close=close)

    async def _decode(self, text: str | None) -> Any:
        if text is None:
            raise BadMessage(ErrorCode.BINARY, "This socket takes JSON in text frames.", path="$")
        try:
            return await self.decode_json(text)
        except (ValueError, RecursionError) as error:
            raise BadMessage(ErrorCode.BAD_JSON, f"This is not JSON: {error}", path="$") from None

    async def _refuse(self, bad: BadMessage) -> None:
        await self.send(text_data=encode(bad.answer()).decode())
        if self._strikes.bad():
            await self.close(CloseCode.PROTOCOL, "Too many frames in a row were not JSON.")


class EchoConsumer(AsyncWebsocketConsumer):
    """Sends text and bytes back as they came."""

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.send(text_data=text_data, bytes_data=bytes_data)
