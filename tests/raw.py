"""Bytes as a peer may send them: requests, upgrades and frames that no library would write."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import struct
from dataclasses import dataclass

KEY = base64.b64encode(b"sixteen bytes !!")


@dataclass(frozen=True)
class Answer:
    """All that came back: an HTTP answer, and after status 101 the frames."""

    data: bytes
    ended: bool  # False: nothing (more) came, and the connection is still open

    @property
    def status(self) -> int | None:
        match = re.match(rb"HTTP/1\.[01] (\d{3}) ", self.data)
        return int(match[1]) if match else None

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]

    @property
    def close_code(self) -> int | None:
        return _close_code(self.body) if self.status == 101 else None


def request(
    path: bytes = b"/", *headers: bytes, method: bytes = b"GET", body: bytes = b""
) -> bytes:
    """An HTTP request; it has our Host unless `headers` bring their own, or an empty one."""
    lines = list(headers)
    if not any(line.lower().startswith(b"host") for line in lines):
        lines.insert(0, b"Host: 127.0.0.1")
    lines.append(b"Connection: close")
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", *filter(None, lines), b"", body])


def upgrade(path: bytes = b"/ws/echo/", *headers: bytes, method: bytes = b"GET") -> bytes:
    lines = [
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + KEY,
        b"Sec-WebSocket-Version: 13",
    ]
    return request(path, *headers, method=method).replace(b"Connection: close", b"\r\n".join(lines))


def frame(
    opcode: int,
    data: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """A client's frame. The mask is zero, so the data stands as it is; `length` may lie."""
    size = len(data) if length is None else length
    head = bytes([fin << 7 | reserved << 4 | opcode])
    if size < 126:
        head += bytes([masked << 7 | size])
    elif size < 65_536:
        head += struct.pack(">BH", masked << 7 | 126, size)
    else:
        head += struct.pack(">BQ", masked << 7 | 127, size)
    return head + (b"\0\0\0\0" if masked else b"") + data


# The close frame of a client that is done.
CLOSE = frame(8, struct.pack(">H", 1000))


def talk(port: int, first: bytes, *more: bytes, timeout: float = 5) -> Answer:
    """Send `first`, and `more` once the upgrade is through; the answer up to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(first)
        data = b""
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    part = connection.recv(1 << 20)
                except TimeoutError:
                    return Answer(data, ended=False)
                if not part:
                    break
                data += part
                if more and b"\r\n\r\n" in data:
                    connection.sendall(b"".join(more))
                    more = ()
                answer = Answer(data, ended=True)
                if answer.close_code is not None:
                    return answer
        return Answer(data, ended=True)


def hang_up(port: int, *packets: bytes) -> None:
    """Send and reset the connection without a word, as a phone that leaves the network."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for packet in packets:
            connection.sendall(packet)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _close_code(frames: bytes) -> int | None:
    """The code of the first close frame among a server's `frames`; 1005 when it has none."""
    while len(frames) >= 2:
        opcode, size, start = frames[0] & 15, frames[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(frames[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(frames[2:10], "big"), 10
        if len(frames) < start + size:
            return None
        if opcode == 8:
            return int.from_bytes(frames[start : start + 2], "big") if size >= 2 else 1005
        frames = frames[start + size :]
    return None
