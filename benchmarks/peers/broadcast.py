"""`websockets.broadcast`, as in the library's own documentation.

Run by `python -m benchmarks.peers.broadcast PORT`.
"""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

room: set[ServerConnection] = set()


async def handle(connection: ServerConnection) -> None:
    if connection.request is not None and connection.request.path == "/echo/":
        async for message in connection:
            await connection.send(message)
        return
    room.add(connection)
    try:
        async for message in connection:
            broadcast(room, message)
    finally:
        room.discard(connection)


async def main(port: int) -> None:
    async with serve(handle, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    # The same event loop as uvicorn's, so that what differs is the library.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1])))
