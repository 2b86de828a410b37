"""Who floods: each does its worst for some seconds, and says how much that was.

python -m benchmarks.flooders talker PORT SECONDS SCALE

They run beside the server, as processes of their own; SCALE is 1 in the long form.
"""

import contextlib
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks import cache

MESSAGE = b'{"type":"message","data":"%s"}'
STATE = b'{"type":"state","state":{"s":"%s"}}'


def upgrade(path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def frame(data: bytes) -> bytes:
    """A text with a mask of zero."""
    size = len(data)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 65_536:
        head = struct.pack(">BBH", 0x81, 0xFE, size)
    else:
        head = struct.pack(">BBQ", 0x81, 0xFF, size)
    return head + bytes(4) + data


def enter(port: int, path: str) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", port), timeout=30)
    peer.sendall(upgrade(path))
    peer.recv(4096)
    return peer


def swallow(peer: socket.socket) -> None:
    """Read what is there, so that nobody counts as slow. OSError when it was told goodbye."""
    peer.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while data := peer.recv(1 << 20):
            if b'"type":"bye"' in data:
                peer.close()
                raise ConnectionError
    peer.settimeout(30)


def until(seconds: float) -> Iterator[int]:
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        yield number
        number += 1


def talker(port: int, seconds: float, scale: float) -> str:
    """One member at 100 times its rate, back as often as it is closed."""
    sent, closed, peer = 0, 0, enter(port, "/ws/rooms/calm/")
    for _ in until(seconds):
        try:
            peer.sendall(frame(MESSAGE % b"x") * 20)
            swallow(peer)
            sent += 20
        except OSError:
            closed, peer = closed + 1, enter(port, "/ws/rooms/calm/")
        time.sleep(0.01)
    return f"{sent / seconds:,.0f} messages/s, closed {closed} times"


def connects(port: int, seconds: float, scale: float) -> str:
    """1,000 handshakes a second into one room; each leaves at once."""
    done, begin = 0, time.monotonic()
    for number in until(seconds):
        with contextlib.suppress(OSError), enter(port, "/ws/rooms/door/"):
            done += 1
        behind = begin + number / (1_000 * scale) - time.monotonic()
        if behind > 0:
            time.sleep(behind)
    return f"{done / seconds:,.0f} connects/s"


def idle(port: int, seconds: float, scale: float) -> str:
    """10,000 connections that say nothing."""
    members = int(10_000 * scale)
    crowd = _load(port, "/ws/echo/", members, "idle", seconds)
    return f"{members:,} connections{crowd}"


def rooms(port: int, seconds: float, scale: float) -> str:
    """1,000 rooms of one member, who speaks once a second."""
    peers = [enter(port, f"/ws/rooms/r{n}/") for n in range(int(1_000 * scale))]
    said = 0
    for _ in until(seconds):
        for peer in peers:
            peer.sendall(frame(MESSAGE % b"x"))
            swallow(peer)
            said += 1
        time.sleep(max(0.0, 1 - len(peers) / 2_000))
    return f"{len(peers):,} rooms, {said / seconds:,.0f} messages/s"


def crowd(port: int, seconds: float, scale: float) -> str:
    """One room of 5,000, in which one speaks and all hear."""
    members = int(5_000 * scale)
    result = _load(port, "/ws/rooms/crowd/", members, "fanout", seconds)
    return f"{members:,} members{result}"


def loris(port: int, seconds: float, scale: float) -> str:
    """2,000 handshakes that come a byte at a time."""
    peers = [socket.create_connection(("127.0.0.1", port)) for _ in range(int(2_000 * scale))]
    head, cut = upgrade("/ws/echo/"), set[int]()
    for number in until(seconds):
        for index, peer in enumerate(peers):
            try:
                peer.sendall(head[number % 40 : number % 40 + 1])
            except OSError:
                cut.add(index)
        time.sleep(0.5)
    return f"{len(peers):,} handshakes, {len(cut):,} cut"


def large(port: int, seconds: float, scale: float) -> str:
    """10 members who send 64 KiB as often as they may, each to all."""
    peers = [enter(port, "/ws/rooms/large/") for _ in range(max(2, int(10 * scale)))]
    data, said = frame(MESSAGE % (b"x" * 65_000)), 0
    for _ in until(seconds):
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sendall(data)
                said += 1
        for peer in peers:
            with contextlib.suppress(OSError):
                swallow(peer)
        time.sleep(0.05)
    return f"{said / seconds:,.0f} × 64 KiB/s to {len(peers)}"


def rosters(port: int, seconds: float, scale: float) -> str:
    """200 members with 2 KB of state each, which all change twice a second."""
    peers = [enter(port, "/ws/rooms/roster/") for _ in range(int(200 * scale))]
    changes = 0
    for number in until(seconds):
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.sendall(frame(STATE % (b"%04d" % (number % 10_000) * 500)))
                changes += 1
                swallow(peer)
        time.sleep(0.5)
    return f"{changes / seconds:,.0f} states of 2 KB/s to {len(peers)}"


FLOODERS: dict[str, Callable[[int, float, float], str]] = {
    "talker": talker,
    "connects": connects,
    "idle": idle,
    "rooms": rooms,
    "crowd": crowd,
    "loris": loris,
    "large": large,
    "rosters": rosters,
}


def _load(port: int, path: str, members: int, mode: str, seconds: float) -> str:
    """The C client; what it cannot do is said in the row."""
    words = ["--port", port, "--path", path, "--mode", mode, "--members", members]
    if mode == "fanout":
        words += ["--text", '{"type":"message","data":"%T"}']
    words += ["--seconds", seconds, "--settle", seconds if mode == "idle" else 1]
    command = [str(cache.build("load")), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f" ({done.stderr.strip() or done.returncode})"


def main() -> None:
    name, port, seconds, scale = sys.argv[1:]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(FLOODERS[name](int(port), float(seconds), float(scale)), flush=True)


if __name__ == "__main__":
    main()
