"""Who is measured: name, command, where members connect and in which words they speak.

Every server is one process. What a machine lacks is skipped, and `needs` says why.
"""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from benchmarks import cache
from benchmarks.peers import nchan

PYTHON = sys.executable
OURS = "this project"
STOCK = "tutorial, stock"
CHANGED = "tutorial, swapped"  # import and layer, nothing else
BARE = "bare uvicorn"
FLOOR = "C floor"
BROADCAST = "websockets"
PYTHON_SOCKETIO = "python-socketio"
NODE_SOCKETIO = "Socket.IO Node"
NCHAN = "nchan"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a client connects and what it says; `%T` is the stamped message."""

    path: str
    text: str = "%T"
    hello: str = ""  # sent after the handshake
    ready: str = ""  # what a frame holds when the member has been let in
    ping: str = ""  # the beginning of the server's heartbeat frame …
    pong: str = ""  # … and the answer to it
    publish_path: str = ""  # where the publisher connects, if it is no member


def nothing() -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server. `{port}` in `command` is filled in; `needs` returns "" or what is missing."""

    name: str
    command: tuple[str, ...]
    room: Endpoint
    echo: Endpoint | None
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: Callable[[], str] = nothing
    version: Callable[[], str] = nothing
    most_deliveries: int = 1_000_000  # in flight; more would take minutes


def uvicorn(application: str) -> tuple[str, ...]:
    return (PYTHON, "-m", "uvicorn", application, "--port", "{port}", "--log-level", "warning")


def packages(*names: str) -> Callable[[], str]:
    return lambda: ", ".join(f"{name} {package_version(name)}" for name in names)


def package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def modules(*names: str) -> Callable[[], str]:
    def missing() -> str:
        absent = [name for name in names if find_spec(name) is None]
        return f"pip install {' '.join(absent)}" if absent else ""

    return missing


def socketio(event: str) -> Endpoint:
    """Engine.IO 4: packet 40 joins the namespace, 42 is an event, 2 and 3 are the heartbeat."""
    return Endpoint(
        path="/socket.io/?EIO=4&transport=websocket",
        text=f'42["{event}","%T"]',
        hello="40",
        ready="40{",
        ping="2",
        pong="3",
    )


def tutorial(consumer: str, layer: str, *apps: str) -> dict[str, str]:
    return {
        "TUTORIAL_CONSUMER": consumer,
        "TUTORIAL_LAYER": layer,
        "TUTORIAL_APPS": " ".join(apps),
    }


def node_missing() -> str:
    if not shutil.which("node"):
        return "no node on this machine"
    if not (cache.folder() / "node_modules" / "socket.io").is_dir():
        return f"npm install --prefix {cache.shown()} socket.io"
    return ""


def compiler_missing() -> str:
    return "" if shutil.which("cc") else "no C compiler (cc)"


UVICORN = packages("uvicorn", "uvloop", "httptools", "websockets")
CHANNELS = packages("django", "channels", "uvicorn")
TUTORIAL = Endpoint(path="/ws/chat/bench/", text='{"message": "%T"}')
TUTORIAL_ECHO = Endpoint(path="/ws/echo/")

SERVERS = [
    Server(
        name=OURS,
        command=uvicorn("app:application"),
        room=Endpoint(
            path="/ws/rooms/bench/",
            text='{"type":"message","data":"%T"}',
            ready='"type":"welcome"',
            ping='{"type":"ping"',
            pong='{"type":"pong"}',
        ),
        echo=Endpoint(path="/ws/echo/"),
        environment={
            "SECRET_KEY": "benchmarks",
            "REALTIME_RATE_LIMIT": "1000000",
            "REALTIME_RATE_BURST": "1000000",
            "REALTIME_MAX_MEMBERS": "10000",
        },
        version=packages("django", "channels", "msgspec", "uvicorn"),
    ),
    Server(
        name=CHANGED,
        command=uvicorn("benchmarks.peers.tutorial:application"),
        room=TUTORIAL,
        echo=TUTORIAL_ECHO,
        environment=tutorial(
            "realtime.consumers.AsyncWebsocketConsumer",
            "realtime.layers.InMemoryChannelLayer",
            "realtime",
        ),
        version=CHANNELS,
    ),
    Server(
        name=STOCK,
        command=uvicorn("benchmarks.peers.tutorial:application"),
        room=TUTORIAL,
        echo=TUTORIAL_ECHO,
        environment=tutorial(
            "channels.generic.websocket.AsyncWebsocketConsumer",
            "channels.layers.InMemoryChannelLayer",
        ),
        version=CHANNELS,
        most_deliveries=8_000,
    ),
    Server(
        name=BARE,
        command=uvicorn("benchmarks.peers.bare:application"),
        room=Endpoint(path="/room/"),
        echo=Endpoint(path="/echo/"),
        version=UVICORN,
    ),
    Server(
        name=BROADCAST,
        command=(PYTHON, "-m", "benchmarks.peers.broadcast", "{port}"),
        room=Endpoint(path="/room/"),
        echo=Endpoint(path="/echo/"),
        needs=modules("websockets"),
        version=packages("websockets"),
    ),
    Server(
        name=PYTHON_SOCKETIO,
        command=uvicorn("benchmarks.peers.socketio_server:application"),
        room=socketio("say"),
        echo=socketio("echo"),
        needs=modules("socketio"),
        version=packages("python-socketio", "python-engineio", "uvicorn"),
    ),
    Server(
        name=NODE_SOCKETIO,
        command=("node", "benchmarks/peers/socketio.mjs", "{port}"),
        environment={"NODE_MODULES": str(cache.folder())},
        room=socketio("say"),
        echo=socketio("echo"),
        needs=node_missing,
    ),
    Server(
        name=NCHAN,
        command=(PYTHON, "-m", "benchmarks.peers.nchan", "{port}"),
        room=Endpoint(path="/room/", publish_path="/publish/"),
        echo=None,
        needs=nchan.missing,
    ),
    Server(
        name=FLOOR,
        command=("{floor}", "{port}"),
        room=Endpoint(path="/room/"),
        echo=Endpoint(path="/echo/"),
        needs=compiler_missing,
    ),
]
