"""What may keep a phone out, and how each is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime.web import obstacles as module
from realtime.web.obstacles import ADVICE, FIREWALLD, UFW, firewalls, obstacles


def ufw(root: Path, line: str) -> None:
    (root / UFW).parent.mkdir(parents=True)
    (root / UFW).write_text(f"# a comment\n{line}\nLOGLEVEL=low\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.9"])
def test_a_server_of_this_machine_only_says_how_to_open_it(host: str) -> None:
    [only] = obstacles(host, 8000, [])
    assert "--host 0.0.0.0" in only


def test_without_a_network_there_is_nothing_to_open() -> None:
    [only] = obstacles("0.0.0.0", 8000, [])
    assert "no network" in only


def test_an_address_that_allowed_hosts_refuses_is_named(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["10.0.0.9"]
    first = obstacles("0.0.0.0", 8000, ["192.168.0.7", "10.0.0.9"])[0]
    assert first == "ALLOWED_HOSTS refuses it: add 192.168.0.7."


def test_if_nothing_is_wrong_the_network_may_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "firewalls", lambda port: [])
    assert obstacles("0.0.0.0", 8000, ["192.168.0.7"]) == [ADVICE]


def test_a_firewall_of_linux_that_is_on_is_named_with_its_command(tmp_path: Path) -> None:
    assert firewalls(9000, system="Linux", root=tmp_path) == []
    ufw(tmp_path, "ENABLED=yes")
    (tmp_path / FIREWALLD).mkdir(parents=True)
    first, second = firewalls(9000, system="Linux", root=tmp_path)
    assert first.endswith("sudo ufw allow 9000/tcp")
    assert second.endswith("sudo firewall-cmd --add-port=9000/tcp")


def test_a_firewall_that_is_off_is_not(tmp_path: Path) -> None:
    ufw(tmp_path, "ENABLED=no")
    assert firewalls(9000, system="Linux", root=tmp_path) == []


def test_a_file_that_is_not_ours_to_read_is_no_error(tmp_path: Path) -> None:
    (tmp_path / UFW).mkdir(parents=True)  # reading it fails, as root too
    assert firewalls(9000, system="Linux", root=tmp_path) == []


@pytest.mark.parametrize(("system", "word"), [("Windows", "private"), ("Darwin", "accept")])
def test_systems_that_ask_are_answered(system: str, word: str) -> None:
    [only] = firewalls(9000, system=system)
    assert word in only


def test_each_obstacle_is_one_line_of_a_terminal(settings: Any, tmp_path: Path) -> None:
    settings.ALLOWED_HOSTS = []
    ufw(tmp_path, "ENABLED=yes")
    every = [
        *obstacles("127.0.0.1", 8000, []),
        *obstacles("0.0.0.0", 8000, []),
        *obstacles("0.0.0.0", 8000, ["192.168.100.100"]),
        *firewalls(65535, system="Linux", root=tmp_path),
        *firewalls(65535, system="Windows"),
        *firewalls(65535, system="Darwin"),
    ]
    assert [line for line in every if len(line) > 90] == []
