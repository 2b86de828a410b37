"""One server process: started on a free port, pinned to its core, waited for, killed.

`with running(server) as process:` gives its `port`, `pid` and `start_s`.
"""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cache
from benchmarks.servers import Server

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
# As on its users' machines: modules are compiled once, whatever this shell says.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
PATIENCE = 30.0  # s until a server must have answered

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\n"
    "Host: localhost:{port}\r\n"
    "Origin: http://localhost:{port}\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)


class StartError(Exception):
    """The server ended or did not answer; the text is its last word, without our folder's name."""


@dataclass(frozen=True)
class Running:
    pid: int
    port: int
    start_s: float  # from the start of the process to its first 101


@contextmanager
def running(server: Server) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder, port = Path(name), free_port()
        begin = time.monotonic()
        process = start(server, port, folder)
        try:
            os.sched_setaffinity(process.pid, {SERVER_CORE})
            first_answer(process, server.room.path, port, folder)
            yield Running(process.pid, port, time.monotonic() - begin)
        finally:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(server: Server, port: int, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command(server, port),
            cwd=cache.ROOT,
            env={**os.environ, **COMPILED, **server.environment, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def command(server: Server, port: int) -> list[str]:
    programs = {"{floor}": "floor"}
    return [
        str(cache.build(programs[word])) if word in programs else word.format(port=port)
        for word in server.command
    ]


def first_answer(
    process: subprocess.Popen[bytes],
    path: str,
    port: int,
    folder: Path,
) -> None:
    """Returns once the server has accepted a WebSocket."""
    with connected(process, port, folder) as peer:
        peer.sendall(HANDSHAKE.format(path=path, port=port).encode())
        answer = peer.recv(4096)
    if not answer.startswith(b"HTTP/1.1 101"):
        raise StartError(answer.partition(b"\r\n")[0].decode() or "it closed the connection")


def connected(process: subprocess.Popen[bytes], port: int, folder: Path) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except ConnectionRefusedError:
            time.sleep(0.002)
    raise StartError(last_word(folder / "log"))


def last_word(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    word = next((line for line in reversed(lines) if line), "it said nothing")
    return word.replace(f"{cache.ROOT}/", "")
