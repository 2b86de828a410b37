"""The addresses by which this machine is reached on its network."""

from __future__ import annotations

import asyncio
import ipaddress

import ifaddr

# Where home and office routers deal addresses, most likely first: 172.16/12 is mostly Docker's.
NETWORKS = [ipaddress.ip_network(n) for n in ("192.168.0.0/16", "10.0.0.0/8", "172.16.0.0/12")]

# Seconds for an address of this very machine to answer.
PATIENCE = 0.5

# Bridges of containers and virtual machines: a phone cannot get there.
VIRTUAL = ("docker", "br-", "veth", "virbr", "lxc", "vmnet")


def lan_addresses() -> list[str]:
    """IPv4 addresses that a phone on the same network can open, the likeliest first."""
    found = {
        ip.ip
        for adapter in ifaddr.get_adapters()
        if not adapter.nice_name.startswith(VIRTUAL)
        for ip in adapter.ips
        if isinstance(ip.ip, str) and _is_reachable(ip.ip)
    }
    return sorted(found, key=_likelihood)


async def listening(addresses: list[str], port: int) -> list[str]:
    """Those of `addresses` on which a server listens at `port`: it may serve loopback only."""
    open_ones = await asyncio.gather(*(_is_open(address, port) for address in addresses))
    return [address for address, is_open in zip(addresses, open_ones, strict=True) if is_open]


async def _is_open(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _is_reachable(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _likelihood(text: str) -> tuple[int, ipaddress.IPv4Address | ipaddress.IPv6Address]:
    address = ipaddress.ip_address(text)
    ranks = [rank for rank, network in enumerate(NETWORKS) if address in network]
    return (ranks[0] if ranks else len(NETWORKS), address)
