"""A network between a browser and a server, which a test breaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """Passes bytes on to `target`, a port of this machine. Its own is `port`."""

    target: int
    port: int = 0
    is_swallowing: bool = False
    # Seconds that each piece is under way.
    delay: float = 0.0
    # Bytes of a piece, 0 for as they come.
    trickle: int = 0
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)
    _lost: set[asyncio.StreamWriter] = field(default_factory=set)

    def half_close(self) -> None:
        """Every end hears that the other has no more to say, and may still speak itself."""
        for end in self._ends:
            with contextlib.suppress(OSError, RuntimeError):
                end.write_eof()

    def cut(self) -> None:
        """Reset every connection."""
        for end in self._ends | self._lost:
            end.transport.abort()

    def lose(self) -> None:
        """The connections that there are pass nothing more, not even their end; new ones do."""
        self._lost |= self._ends

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        ends = {writer, far_writer}
        self._ends |= ends
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))
        self._ends -= ends

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Once it has swallowed something, it passes nothing more: TCP would not skip it either."""
        is_open = True
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                is_open = is_open and not self.is_swallowing and writer not in self._lost
                if is_open:
                    await self._forward(data, writer)
        if writer not in self._lost:
            writer.close()

    async def _forward(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        size = self.trickle or len(data)
        for start in range(0, len(data), size):
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data[start : start + size])
            await writer.drain()


@contextlib.asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await asyncio.sleep(0)
