"""What may keep a phone out of this server, each with its mend, in one line."""

from __future__ import annotations

import ipaddress
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from realtime.hosts import is_served

# Both are read without root. systemd keeps the folder while the service runs.
UFW = "etc/ufw/ufw.conf"
FIREWALLD = "sys/fs/cgroup/system.slice/firewalld.service"

ADVICE = "It must be in the same network: mobile data off, and no guest Wi-Fi, which parts devices."


def obstacles(host: str, port: int, addresses: Sequence[str]) -> list[str]:
    """For a server at `host` and `port`, on a machine with those `addresses` of its network."""
    if is_loopback(host):
        return ["Only this machine gets in: start it with --host 0.0.0.0 for the others."]
    if not addresses:
        return ["This machine is in no network: connect it, and start again for the addresses."]
    refused = [address for address in addresses if not is_served(address)]
    mend = [f"ALLOWED_HOSTS refuses it: add {', '.join(refused)}."] if refused else []
    return [*mend, *firewalls(port), ADVICE]


def firewalls(port: int, *, system: str = platform.system(), root: Path = Path("/")) -> list[str]:
    """Those of this machine that are on, or that will ask."""
    if system == "Windows":
        return ["When Windows asks whether Python may be reached, allow private networks."]
    if system == "Darwin":
        return ["When macOS asks whether Python may accept connections, allow it."]
    return list(_linux(port, root))


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _linux(port: int, root: Path) -> Iterator[str]:
    try:
        if "ENABLED=yes" in (root / UFW).read_text().splitlines():
            yield f"The firewall ufw is on: sudo ufw allow {port}/tcp"
    except OSError:
        pass  # there is none, or it is not for us to know
    if (root / FIREWALLD).exists():
        yield f"The firewall firewalld is on: sudo firewall-cmd --add-port={port}/tcp"
