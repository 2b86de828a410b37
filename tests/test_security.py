"""What a stranger on the network, or a page of theirs in your browser, may try.

docs/security.md says who that is and what they want; the tables of hosts and origins stand in
test_hosts.py, those of addresses and tokens in test_access.py.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.test import AsyncClient
from django.urls import URLPattern, URLResolver, get_resolver

from realtime import publish
from realtime.environment import secret_key
from realtime.hub import serve_here
from realtime.names import NameRefused, room_name
from realtime.testing import ServerAddress
from tests.processes import Process, run
from tests.raw import CLOSE, frame, request, talk, upgrade
from tests.wire import View, joined, opened

EVIL = "http://evil.example"
MARK = "FORGED-LINE"


# --- A page of another site in the browser of somebody who is logged in --------------------------


@pytest.mark.parametrize("path", ["/ws/echo/", "/ws/rooms/kitchen/", "/ws/notifications/"])
async def test_a_page_of_another_site_opens_no_websocket_with_your_cookies(
    server: ServerAddress, path: str
) -> None:
    headers = {"Origin": EVIL, "Cookie": "realtime_session=abc"}
    async with opened(server.ws(path), headers=headers) as client:
        code, reason, frames = await client.until_closed()
    assert (code, frames) == (4403, [])
    assert "evil.example" in reason


@pytest.mark.parametrize("path", ["/", "/rooms/kitchen/", "/api/rooms/", "/healthz", "/admin/"])
async def test_a_name_that_was_rebound_to_this_address_reads_nothing(
    server: ServerAddress, path: str
) -> None:
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(server.http(path), headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.text


def routes(resolver: URLResolver, prefix: str = "/") -> list[str]:
    """An address for every route that there is."""
    found: list[str] = []
    for pattern in resolver.url_patterns:
        text = str(pattern.pattern).lstrip("^").rstrip("$")
        address = prefix + text.replace("<str:name>", "x").replace("<str:member>", "x")
        if isinstance(pattern, URLResolver):
            found += routes(pattern, address)
        else:
            assert isinstance(pattern, URLPattern)
            found += sorted({address.replace("<room:room>", room) for room in ("x", "quiz/x")})
    return found


async def test_no_form_or_script_of_another_site_changes_anything_on_any_route() -> None:
    browser = AsyncClient(enforce_csrf_checks=True)
    tried = routes(get_resolver())
    assert len(tried) > 15
    assert {"/api/rooms/x/messages/", "/api/rooms/quiz/x/members/x/disconnect/"} <= {*tried}
    serve_here().rooms.clear()
    for path in tried:
        if "<" in path or "(" in path:
            continue  # a part of the admin that asks for an object; its forms are Django's
        for method in (browser.post, browser.put, browser.delete):
            sender: Any = method
            answer = await sender(path, headers={"Origin": EVIL})
            assert answer.status_code in (302, 403, 404, 405, 426), f"{path}: {answer.status_code}"
            if answer.status_code == 302:
                assert "login" in answer["Location"], path
    assert serve_here().rooms == {}


async def test_nothing_is_changed_by_reading() -> None:
    browser = AsyncClient()
    serve_here().rooms.clear()
    for path in routes(get_resolver()):
        if "<" not in path and "(" not in path and not path.startswith("/admin/"):
            await browser.get(path)
    assert serve_here().rooms == {}


# --- Being somebody else -------------------------------------------------------------------------


async def test_nobody_becomes_another_by_name_id_or_what_they_see_of_them(
    server: ServerAddress,
) -> None:
    async with joined(server, name="Ada", client="hers") as ada:
        public = ada.view.member
        attempts: list[dict[str, Any]] = [
            {"name": "Ada"},
            {"name": "ADA"},
            {"name": "\uff21da"},  # full width
            {"client": public},
            {"client": f"client:{public}"},
            {"client": "Hers"},
            {"headers": {"Cookie": f"realtime_device={public}"}},
            {"headers": {"Cookie": f"realtime_device={public}:{public}"}},
        ]
        for attempt in attempts:
            async with joined(server, **attempt) as eve:
                assert eve.view.member != public, attempt
                names = [m["name"] for m in eve.view.members.values() if m["id"] != public]
                assert "Ada" not in names, attempt
        assert serve_here().rooms["kitchen"].roster.get(public) is not None


async def test_who_knows_epoch_and_offset_of_another_is_not_them(server: ServerAddress) -> None:
    async with joined(server, name="Ada", client="hers") as ada:
        await ada.send("message", data="mine", ref=1)
        await ada.next("message")
        stolen = View()
        stolen.epoch, stolen.offset = ada.view.epoch, 0
        async with joined(server, view=stolen, client="another") as eve:
            assert eve.view.member != ada.view.member
            await eve.send("message", data="mine", ref=1)
            assert (await eve.next("ack"))["offset"] == 2  # hers, not a repetition of Ada's
            await eve.send("state", state={"hand": "up"})
            while not any(member["state"] for member in ada.view.members.values()):
                await ada.next("presence")
            assert [m["id"] for m in ada.view.members.values() if m["state"]] == [eve.view.member]


# --- Out of a room -------------------------------------------------------------------------------

ESCAPES = [
    "..",
    ".",
    "%2e%2e",
    "..%2f..",
    "user%2fabc",
    "user/abc",
    "a%2fb",
    "a%5cb",
    "%00",
    "a%0ab",
    "%E2%80%AE",
    "x" * 65,
    "%20",
    "%E2%80%8B",
]


OTHERS = "user/0123456789abcdef"


@pytest.mark.parametrize(
    "path",
    [
        *("%2e%2e", "%2e%2e%2fstatus", "x%2f%2e%2e", "%2e%2e%2f%2e%2e", "x%2f%2e%2e%2fkitchen"),
        *("..;%2fkitchen", "%252e%252e%2fkitchen", "x%5c%2e%2e", "x%2f%2fkitchen", "%2fkitchen"),
        *("USER/0123456789abcdef", "user%5c0123456789abcdef", "user%2f%2f0123456789abcdef"),
        *(
            "user/%300123456789abcdef%00",
            "x/%2e%2e/user/0123456789abcdef",
            "user/./0123456789abcdef",
        ),
    ],
)
async def test_no_spelling_of_a_path_of_the_api_is_another_room(
    server: ServerAddress, path: str
) -> None:
    publish("kitchen", "secret")
    publish(OTHERS, "secret")
    for part in ("", "messages/", "members/"):
        # Not by a client that tidies the path.
        packet = request(f"/api/rooms/{path}/{part}".encode())
        answer = await asyncio.to_thread(talk, server.port, packet)
        assert answer.status in (400, 404), answer.data
        assert b"secret" not in answer.data
    assert list(serve_here().rooms) == ["kitchen", OTHERS]


@pytest.mark.parametrize("path", ESCAPES)
async def test_no_spelling_of_a_path_leads_out_of_the_rooms(
    server: ServerAddress, path: str
) -> None:
    async with opened(server.ws(f"/ws/rooms/{path}/")) as client:
        code, reason, _ = await client.until_closed()
    assert code in (4400, 4404)
    assert reason
    assert not serve_here().rooms


async def test_the_room_of_a_user_is_open_to_nobody_else(server: ServerAddress) -> None:
    async with opened(server.ws("/ws/notifications/")) as client:
        assert (await client.until_closed())[0] == 4401


async def test_two_ways_to_write_a_name_are_one_room_and_look_alikes_are_two() -> None:
    assert room_name("ku\u0308che") == room_name("küche")
    assert room_name("\u0430") != room_name("a")  # a Cyrillic a: it looks alike and is another
    for hidden in ("kit\u200bchen", "kit\u202echen", "kit\u00adchen", "kitchen\u200d"):
        with pytest.raises(NameRefused):
            room_name(hidden)


# --- Lines and headers that were not written by us -----------------------------------------------


def test_no_request_writes_a_line_of_its_own_into_the_log_or_the_answer(
    start: Callable[..., Process],
) -> None:
    server = start("-m", "uvicorn", "app:application", "--port", "{port}")
    forged = f"x%0d%0a{MARK}:%20yes".encode()
    raw = f"x\x1b[31m{MARK}".encode()
    packets = [
        b"GET /" + forged + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /rooms/" + forged + b"/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /admin/" + forged + b"/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: " + raw + b"\r\nConnection: close\r\n\r\n",
        b"GET /api/rooms/x/events/ HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: "
        + raw
        + b"\r\nConnection: close\r\n\r\n",
    ]
    for packet in packets:
        head = talk(server.port, packet).data.partition(b"\r\n\r\n")[0]
        assert not any(line.startswith(MARK.encode()) for line in head.split(b"\r\n"))
    for path in (b"/ws/" + forged, b"/ws/rooms/" + forged + b"/", b"/ws/rooms/x/?name=" + forged):
        talk(server.port, upgrade(path), frame(1, b"x"), CLOSE)
        talk(server.port, upgrade(path, b"Origin: " + raw), CLOSE)
    server.stop()
    said = server.said()
    assert MARK in said  # it was logged, in one piece
    assert not any(line.startswith(MARK) for line in said.splitlines())
    assert "\x1b" not in said


# --- Tokens, cookies, headers --------------------------------------------------------------------


async def test_a_token_is_compared_in_the_same_time_however_much_of_it_is_right(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.REALTIME_API_TOKEN = "right"
    compared: list[tuple[bytes, bytes]] = []
    honest = secrets.compare_digest
    monkeypatch.setattr(
        "realtime.web.access.secrets.compare_digest",
        lambda one, two: (compared.append((one, two)), honest(one, two))[1],  # type: ignore[func-returns-value]
    )
    for token in ("", "r", "righ", "right", "righter"):
        headers = {"Authorization": f"Bearer {token}"}
        answer = await AsyncClient().get("/api/rooms/", headers=headers)
        assert answer.status_code == (200 if token == "right" else 401)
    assert len(compared) == 5


async def test_the_device_cookie_is_out_of_reach_of_scripts_and_other_sites(
    server: ServerAddress,
) -> None:
    async with httpx.AsyncClient() as browser:
        cookie = (await browser.get(server.http("/rooms/kitchen/"))).headers["Set-Cookie"]
    assert cookie.startswith("realtime_device=")
    assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize("path", ["/", "/rooms/x/", "/nothing/", "/api/rooms/", "/healthz"])
async def test_every_answer_has_the_headers_that_protect(server: ServerAddress, path: str) -> None:
    async with httpx.AsyncClient() as browser:
        headers = (await browser.get(server.http(path))).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


# --- By https ------------------------------------------------------------------------------------

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "settings",
    "REALTIME_HTTPS": "true",
    "SECRET_KEY": "k" * 25 + "0123456789" * 4,
    "ALLOWED_HOSTS": "chat.example",
}


def test_djangos_own_check_finds_nothing_with_production_settings() -> None:
    done = run("app.py", "check", "--deploy", "--fail-level", "WARNING", env=PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_by_https_cookies_stay_there_and_plain_http_is_sent_there(
    start: Callable[..., Process],
) -> None:
    command = ["-m", "uvicorn", "app:application", "--port", "{port}"]
    server = start(*command, **PRODUCTION)
    name = {"Host": "chat.example"}
    answer = httpx.get(server.http("/rooms/x/"), headers=name)
    assert (answer.status_code, answer.headers["Location"]) == (
        301,
        "https://chat.example/rooms/x/",
    )
    behind = name | {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    answer = httpx.get(server.http("/rooms/x/"), headers=behind)
    assert answer.status_code == 200
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"] == "max-age=2592000"
    assert httpx.get(server.http("/healthz"), headers=name).status_code == 200


@pytest.mark.skipif(os.name == "nt", reason="files have no such modes on Windows")
def test_the_secret_key_is_readable_by_its_owner_only(tmp_path: Any) -> None:
    path = tmp_path / ".secret-key"
    secret_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
