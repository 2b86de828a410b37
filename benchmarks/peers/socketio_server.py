"""python-socketio on uvicorn: what one says everyone hears."""

import socketio  # type: ignore[import-untyped,import-not-found,unused-ignore]

server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
application = socketio.ASGIApp(server)


async def say(sid: str, data: str) -> None:
    await server.emit("say", data)


async def echo(sid: str, data: str) -> None:
    await server.emit("echo", data, to=sid)


server.on("say", say)
server.on("echo", echo)
