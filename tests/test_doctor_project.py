"""The doctor finds each mistake of the well-known tutorials in a small project that makes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from realtime.doctor import asgi_file, consumer_classes, page_files, settings_file
from realtime.doctor.__main__ import main
from realtime.doctor.finding import Finding, Verdict
from realtime.doctor.mistakes import MISTAKES
from realtime.doctor.project import look
from realtime.doctor.sources import Project, Source, calls, dotted, own_calls
from tests.processes import ROOT, run

PARTS = {
    "redis-app": settings_file,
    "no-http": asgi_file,
    "no-discard": consumer_classes,
    "ws-scheme": page_files,
}

# A project with nothing to find.
SOUND = {
    "mysite/settings.py": """
INSTALLED_APPS = ["django.contrib.staticfiles", "channels", "realtime"]
CHANNEL_LAYERS = {"default": {"BACKEND": "realtime.layers.InMemoryChannelLayer"}}
MIDDLEWARE = ["realtime.web.middleware.StaticFiles"]
ALLOWED_HOSTS = ["chat.example"]
""",
    "mysite/asgi.py": """
import os
from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application
http = get_asgi_application()
from chat.routing import websocket_urlpatterns
from realtime.hosts import HostGuard
from realtime.lifespan import Lifespan
from realtime.routing import websocket_router
application = ProtocolTypeRouter({
    "http": http,
    "websocket": HostGuard(websocket_router(websocket_urlpatterns)),
    "lifespan": Lifespan(),
})
""",
    "chat/routing.py": """
from django.urls import re_path
from . import consumers
websocket_urlpatterns = [re_path(r"^ws/chat/(?P<room>[^/]+)/?$", consumers.Chat.as_asgi())]
""",
    "chat/consumers.py": """
import json
from realtime.consumers import AsyncWebsocketConsumer
class Chat(AsyncWebsocketConsumer):
    async def connect(self):
        self.group = f"chat_{self.scope['user'].pk}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)
    async def receive(self, text_data=None, bytes_data=None):
        try:
            data = json.loads(text_data)
        except ValueError:
            return
        await self.channel_layer.group_send(self.group, {"type": "chat", "data": data})
""",
    "chat/views.py": """
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
def view(request):
    async_to_sync(get_channel_layer().group_send)("chat", {"type": "chat"})
""",
    "chat/templates/chat/room.html": """
<script>
  function open() {
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const socket = new WebSocket(scheme + location.host + "/ws/chat/");
    socket.onmessage = (event) => { log.textContent += event.data; };
    socket.onclose = () => setTimeout(open, 1000);
  }
</script>
""",
}

# For each mistake the file, what stands there, and what is written in its place.
CHANGES: dict[str, tuple[str, str, str]] = {
    "redis-app": ("mysite/settings.py", '"channels",', '"channels", "channels_redis",'),
    "redis-layer": (
        "mysite/settings.py",
        "realtime.layers.InMemoryChannelLayer",
        "channels_redis.core.RedisChannelLayer",
    ),
    "no-layer": ("mysite/settings.py", "CHANNEL_LAYERS", "LAYERS"),
    "daphne-app": ("mysite/settings.py", '"channels",', '"daphne", "channels",'),
    "hosts-star": ("mysite/settings.py", "chat.example", "*"),
    "static-files": ("mysite/settings.py", "realtime.web.middleware.StaticFiles", "mysite.other"),
    "router-unserved": (
        "mysite/asgi.py",
        "application = ProtocolTypeRouter",
        "application = get_asgi_application()\nother = dict",
    ),
    "runserver": ("manage.py", "", "import django.core.management\n"),
    "no-http": ("mysite/asgi.py", '"http"', '"https"'),
    "no-lifespan": ("mysite/asgi.py", '"lifespan"', '"life"'),
    "early-import": ("mysite/asgi.py", "import os", "import chat.routing"),
    "no-origin-check": ("mysite/asgi.py", "HostGuard", "Session"),
    "as-asgi": ("chat/routing.py", "consumers.Chat.as_asgi()", "consumers.ChatConsumer"),
    "last-slash": ("chat/routing.py", "/?$", "/$"),
    "no-bytes-data": ("chat/consumers.py", "text_data=None, bytes_data=None", "text_data"),
    "bad-json": (
        "chat/consumers.py",
        "        try:\n            data = json.loads(text_data)\n"
        "        except ValueError:\n            return\n",
        "        data = json.loads(text_data)\n",
    ),
    "no-discard": ("chat/consumers.py", "group_discard", "group_leave"),
    "group-name": (
        "chat/consumers.py",
        "f\"chat_{self.scope['user'].pk}\"",
        '"chat_%s" % self.room_name',
    ),
    "async-to-sync": (
        "chat/consumers.py",
        'await self.channel_layer.group_send(self.group, {"type"',
        'async_to_sync(self.channel_layer.group_send)(self.group, {"type"',
    ),
    "sync-orm": (
        "chat/consumers.py",
        "await self.accept()",
        "room = Room.objects.filter(name='x').first()",
    ),
    "blocking": ("chat/consumers.py", "await self.accept()", "time.sleep(1)"),
    "sync-consumer": (
        "chat/consumers.py",
        "(AsyncWebsocketConsumer):",
        "(AsyncWebsocketConsumer): pass\nclass Old(WebsocketConsumer):",
    ),
    "thread-send": ("chat/views.py", "from asgiref", "import threading\nfrom asgiref"),
    "ws-scheme": (
        "chat/templates/chat/room.html",
        'location.protocol === "https:" ? "wss://" : "ws://"',
        '"ws://"',
    ),
    "inner-html": (
        "chat/templates/chat/room.html",
        "log.textContent +=",
        "log.innerHTML +=",
    ),
    "no-reconnect": (
        "chat/templates/chat/room.html",
        "setTimeout(open, 1000)",
        'console.error("Chat socket closed unexpectedly")',
    ),
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def broken(mistake: str) -> dict[str, str]:
    name, before, after = CHANGES[mistake]
    assert before in SOUND.get(name, "")
    return SOUND | {name: SOUND.get(name, "").replace(before, after) if before else after}


def found(folder: Path) -> dict[str, Finding]:
    return {each.mistake: each for each in look(folder) if each.verdict is not Verdict.OK}


def test_a_sound_project_has_no_finding(tmp_path: Path) -> None:
    [finding] = look(write(tmp_path, SOUND))
    assert finding.verdict is Verdict.OK
    assert "6 files" in finding.text


def test_each_mistake_has_a_project_that_makes_it() -> None:
    assert CHANGES.keys() == MISTAKES.keys()


@pytest.mark.parametrize("mistake", CHANGES)
def test_a_mistake_is_found_alone_and_at_its_place(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_file, "find_spec", lambda name: None)  # no daphne
    findings = found(write(tmp_path, broken(mistake)))
    assert findings.keys() == {mistake}
    finding = findings[mistake]
    assert finding.verdict is MISTAKES[mistake].verdict
    assert finding.mend
    assert re.fullmatch(r"[\w/.]+:\d+", finding.place)
    assert (tmp_path / finding.place.partition(":")[0]).exists()


@pytest.mark.parametrize("mistake", PARTS)
def test_each_part_finds_its_own_mistakes_only(mistake: str, tmp_path: Path) -> None:
    project = Project(write(tmp_path, broken(mistake)))
    for part in PARTS.values():
        found = [finding.mistake for finding in part.look(project)]
        assert found == ([mistake] if part is PARTS[mistake] else [])


def test_calls_of_an_inner_function_are_not_its_own(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "async def f():\n    a.b()\n    def g():\n        c()\n"})
    function = Source(tmp_path / "a.py", "a.py").tree.body[0]
    assert [dotted(call.func) for call in own_calls(function)] == ["a.b"]
    assert [dotted(call.func) for call in calls(function)] == ["a.b", "c"]


def test_a_router_that_nothing_serves_is_named(tmp_path: Path) -> None:
    asgi = SOUND["mysite/asgi.py"]
    files = SOUND | {
        "mysite/routing.py": asgi,
        "mysite/asgi.py": "from django.core.asgi import get_asgi_application\n"
        "application = get_asgi_application()\n",
    }
    finding = found(write(tmp_path, files))["router-unserved"]
    assert finding.text.startswith("The router in mysite/routing.py is served by nothing.")
    write(tmp_path, {"mysite/asgi.py": "from mysite.routing import application\n"})
    assert found(tmp_path) == {}


def test_a_router_without_websocket_is_found(tmp_path: Path) -> None:
    text = SOUND["mysite/asgi.py"].replace('"websocket"', '"ws"')
    finding = found(write(tmp_path, SOUND | {"mysite/asgi.py": text}))["router-unserved"]
    assert 'no "websocket"' in finding.text


@pytest.mark.parametrize(
    "line",
    [
        "await Room.objects.aget(name=name)",
        "rooms = Room.objects.filter(name=name)",
        "await database_sync_to_async(lambda: Room.objects.get(name=name))()",
        "await asyncio.sleep(1)",
        "await sync_to_async(time.sleep)(1)",
        "self.headers.get('name')",
    ],
)
def test_good_async_code_is_no_finding(line: str, tmp_path: Path) -> None:
    text = SOUND["chat/consumers.py"].replace("await self.accept()", line)
    assert found(write(tmp_path, SOUND | {"chat/consumers.py": text})) == {}


def test_what_is_not_the_projects_own_is_not_read(tmp_path: Path) -> None:
    bad = 'new WebSocket("ws://localhost")'
    files = {f"{folder}/page.js": bad for folder in ("node_modules/x", "venv/lib", ".git", "tests")}
    write(tmp_path, SOUND | files | {"venv/pyvenv.cfg": "", "static/x.min.js": bad})
    assert found(tmp_path) == {}


def test_files_that_cannot_be_read_as_python_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, SOUND | {"chat/broken.py": "def (:\n", "chat/old.py": "print 'x'\n"})
    (tmp_path / "chat/latin.py").write_bytes(b"# \xe9\x00\nx = 1\n")
    assert found(tmp_path) == {}


def test_this_project_makes_none_of_them() -> None:
    assert found(ROOT) == {}


def test_the_files_are_looked_at_without_django(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, broken("redis-app"))
    assert main([str(tmp_path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["problems"] == 1
    assert report["findings"][0]["mistake"] == "redis-app"
    assert main([str(tmp_path)]) == 1
    assert "problem  mysite/settings.py:2: channels_redis" in capsys.readouterr().out
    write(tmp_path, SOUND)
    assert main([str(tmp_path)]) == 0
    assert "All is well." in capsys.readouterr().out


def test_an_empty_folder_is_a_sentence(tmp_path: Path) -> None:
    result = run("-m", "realtime.doctor", str(tmp_path))
    assert result.returncode == 0
    assert "No Python file in" in result.stdout
