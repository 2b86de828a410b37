"""What the numbers were measured on: processor, system, compiler, versions. No names of hosts."""

import platform
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks import cache
from benchmarks.processes import CORES, LOAD_CORE, SERVER_CORE
from benchmarks.servers import Server


def description() -> str:
    """One line: processor, cores, system, Python, compiler."""
    pinned = f"server on core {SERVER_CORE}, load client on core {LOAD_CORE}"
    return f"{system(pinned)}, {compiler()}"


def system(cores: str) -> str:
    """The same without the compiler; `cores` says how they are shared."""
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"{processor()}, {len(CORES)} cores ({cores}), Linux {kernel}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def compiler() -> str:
    return first_line("cc", "--version") or "no C compiler"


def versions(server: Server) -> str:
    """The versions of what a server runs on; empty for our own C."""
    if "node" in server.command:
        return f"node {first_line('node', '--version')}, socket.io {socketio()}"
    if "benchmarks.peers.nchan" in server.command:
        return f"{first_line('nginx', '-v')}, nchan {nchan()}"
    return server.version()


def socketio() -> str:
    file = cache.folder() / "node_modules" / "socket.io" / "package.json"
    found = re.search(r'"version": "([^"]+)"', file.read_text()) if file.exists() else None
    return found[1] if found else "?"


def nchan() -> str:
    return first_line("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan") or "?"


def first_line(program: str, *words: str) -> str:
    if not shutil.which(program):
        return ""
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else ""
