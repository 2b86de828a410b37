"""The mistakes that the well-known tutorials teach: the one list of them.

`error` is what people see and search for, and the title of the section in
docs/tutorials-corrected.md (a test compares the two); `text` says what is wrong, `mend` what to
write instead. How each is found stands beside it in the other modules.
"""

from __future__ import annotations

from msgspec import Struct

from realtime.doctor.finding import Finding, Verdict

PAGE = "docs/tutorials-corrected.md"


class Mistake(Struct, frozen=True):
    id: str
    verdict: Verdict
    error: str
    text: str
    mend: str

    def at(self, place: str, text: str = "") -> Finding:
        """This mistake, made at `place` (a file and line); `text` where more is known."""
        return Finding(
            verdict=self.verdict,
            topic="project",
            text=text or self.text,
            mend=self.mend,
            place=place,
            mistake=self.id,
        )


LAYER_LINE = 'CHANNEL_LAYERS = {"default": {"BACKEND": "realtime.layers.InMemoryChannelLayer"}}'

PROBLEM, NOTE = Verdict.PROBLEM, Verdict.NOTE

_ALL = (
    # Settings.
    Mistake(
        "redis-app",
        PROBLEM,
        "ModuleNotFoundError: No module named 'channels_redis'",
        "channels_redis stands in INSTALLED_APPS: it is no Django app, and nothing needs it.",
        "Take it out of INSTALLED_APPS, and out of requirements.txt.",
    ),
    Mistake(
        "redis-layer",
        PROBLEM,
        "ConnectionRefusedError: Error 111 connecting to 127.0.0.1:6379 (Windows: WinError 10061)",
        "The channel layer is channels_redis, which needs a Redis server.",
        LAYER_LINE,
    ),
    Mistake(
        "no-layer",
        PROBLEM,
        "AttributeError: 'NoneType' object has no attribute 'group_add'",
        "Consumers use groups, and the settings have no CHANNEL_LAYERS.",
        LAYER_LINE,
    ),
    Mistake(
        "daphne-app",
        PROBLEM,
        "ModuleNotFoundError: No module named 'daphne'",
        "daphne stands in INSTALLED_APPS and is not installed.",
        "Take it out, and start with: uvicorn app:application (or pip install daphne).",
    ),
    Mistake(
        "hosts-star",
        NOTE,
        "Invalid HTTP_HOST header: '192.168.0.7:8000'. You may need to add '192.168.0.7' to "
        "ALLOWED_HOSTS.",
        'ALLOWED_HOSTS has "*": any web page may open your sockets, by a name that it points here.',
        "ALLOWED_HOSTS = local_hosts(), from realtime.hosts: addresses and *.local need no star.",
    ),
    Mistake(
        "static-files",
        NOTE,
        '"GET /static/admin/css/base.css HTTP/1.1" 404 Not Found',
        "Nothing serves static files here: only runserver did, and uvicorn does not.",
        'MIDDLEWARE: add "realtime.web.middleware.StaticFiles" after SecurityMiddleware.',
    ),
    # The ASGI application.
    Mistake(
        "router-unserved",
        PROBLEM,
        "ValueError: Django can only handle ASGI/HTTP connections, not websocket.",
        "The application that is served has no WebSockets: get_asgi_application() alone.",
        'application = ProtocolTypeRouter({"http": …, "websocket": …}) in asgi.py itself.',
    ),
    Mistake(
        "runserver",
        NOTE,
        '"GET /ws/chat/ HTTP/1.1" 404',
        "runserver speaks no WebSocket: Channels left it alone in version 4.",
        "Start with: uvicorn app:application --reload (or python app.py).",
    ),
    Mistake(
        "no-http",
        PROBLEM,
        "ValueError: No application configured for scope type 'http'",
        'The ProtocolTypeRouter has no "http": every page is an error 500.',
        '"http": get_asgi_application() into the ProtocolTypeRouter.',
    ),
    Mistake(
        "no-lifespan",
        NOTE,
        "ASGI 'lifespan' protocol appears unsupported.",
        'The ProtocolTypeRouter has no "lifespan": nobody looks after workers and the stop.',
        '"lifespan": Lifespan() into the ProtocolTypeRouter, from realtime.lifespan.',
    ),
    Mistake(
        "early-import",
        PROBLEM,
        "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet.",
        "Consumers or routes are imported before get_asgi_application() has loaded the apps.",
        "Call get_asgi_application() first, and import what is yours below it.",
    ),
    Mistake(
        "no-origin-check",
        PROBLEM,
        "Error during WebSocket handshake: Unexpected response code: 403",
        "Nothing looks at the Origin: any web page can open your sockets as its visitor.",
        '"websocket": HostGuard(…), from realtime.hosts: own pages get in, strangers do not.',
    ),
    Mistake(
        "as-asgi",
        PROBLEM,
        "TypeError: object ChatConsumer can't be used in 'await' expression",
        "A route leads to the consumer's class, and not to an application of it.",
        'Write re_path(r"^ws/chat/?$", ChatConsumer.as_asgi()).',
    ),
    Mistake(
        "last-slash",
        NOTE,
        "ValueError: No route found for path 'ws/chat'.",
        "A route connects only with its last slash; without it the handshake ends in an error.",
        'End it with /?$ : re_path(r"^ws/chat/?$", …), and use realtime.routing.websocket_router.',
    ),
    # Consumers.
    Mistake(
        "no-bytes-data",
        PROBLEM,
        "TypeError: ChatConsumer.receive() got an unexpected keyword argument 'bytes_data'",
        "receive() takes no bytes_data: the first binary frame ends the socket with a traceback.",
        "async def receive(self, text_data=None, bytes_data=None):",
    ),
    Mistake(
        "bad-json",
        NOTE,
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "json.loads() in receive() is not guarded: one frame that is no JSON ends the socket.",
        "Subclass RoomConsumer, which answers it in words; or catch ValueError and say so.",
    ),
    Mistake(
        "no-discard",
        NOTE,
        "Ghosts: people who left stay on the list, because disconnect() was not called",
        "group_add without group_discard. Harmless with this layer; not with Redis, nor for a "
        "list of your own that disconnect() is to clean.",
        "await self.channel_layer.group_discard(…) in disconnect(); or RoomConsumer's roster.",
    ),
    Mistake(
        "group-name",
        NOTE,
        "TypeError: Group name must be a valid unicode string with length < 100 containing only "
        "ASCII alphanumerics, hyphens, underscores, or periods",
        "A group is named by what people typed: a space, an accent or an emoji is an error.",
        'group_name("chat", room) from realtime.names makes a safe one of any text.',
    ),
    Mistake(
        "async-to-sync",
        PROBLEM,
        "RuntimeError: You cannot use AsyncToSync in the same thread as an async event loop",
        "async_to_sync() is called inside of async code.",
        "Write await in its place: await self.channel_layer.group_send(…).",
    ),
    Mistake(
        "sync-orm",
        PROBLEM,
        "SynchronousOnlyOperation: You cannot call this from an async context",
        "The database is asked with a blocking call inside of async code.",
        "Use the method with an a: await Room.objects.aget(…); or database_sync_to_async.",
    ),
    Mistake(
        "blocking",
        PROBLEM,
        "keepalive ping timeout; no close frame received (1011)",
        "A blocking call in async code: nobody hears anything while it lasts.",
        "await asyncio.sleep(…); or await asyncio.to_thread(function) for what has no async form.",
    ),
    Mistake(
        "sync-consumer",
        NOTE,
        "Everyone waits while one handler works",
        "A sync consumer: all of them share one thread, so that one who works holds up everybody.",
        "Subclass AsyncWebsocketConsumer from realtime.consumers, with async def and await.",
    ),
    Mistake(
        "thread-send",
        NOTE,
        "Messages from a thread (MQTT, GPIO, a timer) arrive seconds late, or never",
        "A thread sends with async_to_sync(group_send), which does not wake the server's loop.",
        'publish("kitchen", {…}) from realtime: any thread, at once.',
    ),
    # Pages.
    Mistake(
        "ws-scheme",
        PROBLEM,
        "Mixed Content: … attempted to connect to the insecure WebSocket endpoint 'ws://…'",
        "ws:// is written out: no page under https can connect, and with localhost no phone.",
        'join("kitchen") of realtime.js; or location.origin.replace("http", "ws") + "/ws/chat/".',
    ),
    Mistake(
        "inner-html",
        PROBLEM,
        "<img src=x onerror=alert(1)> in the chat runs on everybody's screen",
        "What came by WebSocket is written as HTML: any member can run scripts in all browsers.",
        "element.textContent = text.",
    ),
    Mistake(
        "no-reconnect",
        NOTE,
        "Chat socket closed unexpectedly",
        "The page opens a WebSocket once: after a restart or a Wi-Fi blip it stays dead.",
        'import { join } from "/static/realtime/realtime.js": it comes back, and misses nothing.',
    ),
)

MISTAKES = {mistake.id: mistake for mistake in _ALL}
