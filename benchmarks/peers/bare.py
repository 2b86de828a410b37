"""The least an ASGI server can do: await `send` for each member, no framework around it."""

from collections.abc import Awaitable, Callable
from typing import Any

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

room: set[Send] = set()


async def application(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/echo/":
        await serve(receive, {send})
    else:
        await serve_member(receive, send)


async def serve_member(receive: Receive, send: Send) -> None:
    room.add(send)
    try:
        await serve(receive, room)
    finally:
        room.discard(send)


async def serve(receive: Receive, members: set[Send]) -> None:
    while (message := await receive())["type"] == "websocket.receive":
        for send in tuple(members):
            await send({"type": "websocket.send", "text": message["text"]})
