"""The addresses of this machine that a phone can open."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Any

import ifaddr
import pytest

from realtime.web.addresses import lan_addresses, listening


@dataclass
class Adapter:
    nice_name: str
    ips: list[Any] = field(default_factory=list)


def adapters(monkeypatch: pytest.MonkeyPatch, **named: list[Any]) -> None:
    found = [
        Adapter(name.replace("_", "-"), [ifaddr.IP(ip, 24, name) for ip in ips])
        for name, ips in named.items()
    ]
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: found)


def test_the_likeliest_network_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters(monkeypatch, eth0=["172.20.0.2", "203.0.113.5", "10.0.0.9"], wlan0=["192.168.0.7"])
    assert lan_addresses() == ["192.168.0.7", "10.0.0.9", "172.20.0.2", "203.0.113.5"]


def test_addresses_that_lead_nowhere_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters(
        monkeypatch,
        lo=["127.0.0.1", ("::1", 0, 0)],
        eth0=["169.254.3.4", "0.0.0.0", ("fe80::1", 0, 2)],
        docker0=["172.17.0.1"],
        br_1a2b=["172.18.0.1"],
        virbr0=["192.168.122.1"],
    )
    assert lan_addresses() == []


def test_an_address_of_two_adapters_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    adapters(monkeypatch, eth0=["192.168.0.7"], eth1=["192.168.0.7"])
    assert lan_addresses() == ["192.168.0.7"]


def test_on_this_machine_they_are_ipv4_addresses() -> None:
    for address in lan_addresses():
        assert not ipaddress.IPv4Address(address).is_loopback


async def test_only_addresses_that_answer_are_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert await listening(["127.0.0.1", "127.0.0.2"], port) == ["127.0.0.1"]


async def test_a_port_where_nobody_listens_keeps_none() -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        assert await listening(["127.0.0.1"], bound.getsockname()[1]) == []


async def test_an_address_that_never_answers_does_not_hold_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", never)
    monkeypatch.setattr("realtime.web.addresses.PATIENCE", 0.001)
    assert await listening(["127.0.0.1"], 80) == []
