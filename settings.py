"""Every setting, its default and the reason for it. An environment variable of the same name
overrides it; one that cannot be used, or is misspelt, stops the start with a sentence.

Lists are written with commas (`ALLOWED_HOSTS=a.example,b.example`), switches as true or false.
"""

import os
from pathlib import Path
from typing import Any

from realtime.environment import HOST, ORIGIN, URL, Environment, secret_key
from realtime.hosts import local_hosts

BASE_DIR = Path(__file__).resolve().parent
env = Environment(os.environ)

# --- What Django needs ---------------------------------------------------------------------------

# Off, so that nobody who opens a page of yours reads your source in a traceback.
DEBUG = env("DEBUG", False)

# Signs cookies. Without a variable it is made once and kept in a file that only you can read.
SECRET_KEY = env("SECRET_KEY", "") or secret_key(BASE_DIR / ".secret-key")

# Names that this server may be opened by, besides localhost, *.local, this machine's name and any
# IP address, which always work: no stranger's web page can point those here.
ALLOWED_HOSTS = [
    *env("ALLOWED_HOSTS", [], pattern=HOST, wanted="names without http:// and port: chat.example"),
    *local_hosts(),
]

# Other origins whose pages may post forms and open WebSockets: https://chat.example.com.
CSRF_TRUSTED_ORIGINS = env(
    "CSRF_TRUSTED_ORIGINS", [], pattern=ORIGIN, wanted="origins such as https://chat.example.com"
)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "servestatic",
    "channels",
    "realtime",
    "examples",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "realtime.web.middleware.ContentSecurityPolicy",
    "realtime.web.middleware.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "realtime.web.middleware.MissingDatabase",
]

ROOT_URLCONF = "app"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            # Read each time, so that one that was edited meanwhile comes as it is now: 3 ms a page.
            "loaders": ["django.template.loaders.app_directories.Loader"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# The SQLite file. Not touched until somebody wants accounts: `python app.py migrate` makes it.
REALTIME_DATABASE = env("REALTIME_DATABASE", str(BASE_DIR / "db.sqlite3"))
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": REALTIME_DATABASE}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator")
]

# Django's sessions, except that a cookie from elsewhere, or a missing table, is an anonymous
# visitor and not an error.
SESSION_ENGINE = "realtime.web.sessions"

# Names of our own: cookies ignore the port, so every project on 127.0.0.1 shares `sessionid`.
SESSION_COOKIE_NAME = "realtime_session"
CSRF_COOKIE_NAME = "realtime_csrf"

# True when browsers come by https only (a proxy in front, or uvicorn's own certificate): cookies
# never leave it, browsers remember it for a month, and plain http is sent there. What this machine
# asks by plain http (commands, health, metrics) is answered all the same.
REALTIME_HTTPS = env("REALTIME_HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = REALTIME_HTTPS
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if REALTIME_HTTPS else 0
SECURE_REDIRECT_EXEMPT = [r"^api/", r"^healthz$", r"^readyz$", r"^metrics$"]
# For all hosts below this name, or for every browser's built-in list, is not ours to promise.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "home"
LOGIN_URL = "login"

# Files come straight from the packages' static folders: no collectstatic, and none to forget.
STATIC_URL = "/static/"
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_ALLOW_ALL_ORIGINS = False
# Each is looked up when it is asked for: one that was edited meanwhile comes as it is now.
SERVESTATIC_AUTOREFRESH = True
# Asked for again at each load (an unchanged file costs a 304): a kiosk is never stuck on old code.
SERVESTATIC_MAX_AGE = 0

# The pages that a refused form or an unexpected error shows.
CSRF_FAILURE_VIEW = "realtime.web.views.csrf_failure"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

# Quiet: what goes wrong is logged, a message or a visitor is not.
REALTIME_LOG_LEVEL = env(
    "REALTIME_LOG_LEVEL", "INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR")
)

# What each line of it is: `line` for people, or `json`, an object for who collects logs.
REALTIME_LOG_FORMAT = env("REALTIME_LOG_FORMAT", "line", choices=("line", "json"))
FORMATTERS = {
    "line": {"format": "{levelname:8} {name}: {message}", "style": "{"},
    "json": {"()": "realtime.json_lines.JsonLines"},
}
# For people uvicorn has lines of its own, with colours.
OURS = {"handlers": ["stderr"], "propagate": False}
UVICORN_LOGGERS = {"line": {}, "json": {"uvicorn": OURS, "uvicorn.access": OURS}}
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"peer_faults": {"()": "realtime.logs.PeerFaults"}},
    "formatters": {"chosen": FORMATTERS[REALTIME_LOG_FORMAT]},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        "django.request": {"level": "ERROR"},  # a 404 is an answer, not an event
        "realtime": {"handlers": ["stderr"], "level": REALTIME_LOG_LEVEL, "propagate": False},
        "uvicorn.error": {"filters": ["peer_faults"]},
        **UVICORN_LOGGERS[REALTIME_LOG_FORMAT],
    },
}

# --- Channels ------------------------------------------------------------------------------------

ASGI_APPLICATION = "app.application"
CHANNEL_LAYERS = {"default": {"BACKEND": "realtime.layers.InMemoryChannelLayer"}}

# --- The server that `python app.py` starts -------------------------------------------------------

# All interfaces: phones on the network get in. 127.0.0.1 keeps the server to this machine.
REALTIME_HOST = env("REALTIME_HOST", "0.0.0.0")  # noqa: S104
REALTIME_PORT = env("REALTIME_PORT", 8000, low=0, high=65_535)

# --- Limits that protect --------------------------------------------------------------------------

# Largest message from a browser, in bytes; more is closed with 1009. As Centrifugo's.
REALTIME_MAX_MESSAGE_SIZE = env("REALTIME_MAX_MESSAGE_SIZE", 65_536, low=1, high=16_777_216)

# Largest body of an HTTP request, in bytes; more is answered with 413. Django keeps a body on disk
# before it asks what it is for.
REALTIME_MAX_BODY_SIZE = env(
    "REALTIME_MAX_BODY_SIZE", 33_554_432, low=65_536, high=1_099_511_627_776
)

# Messages per second that one connection may send for long, and how many at once. Fast typing
# with a cursor stays below it; a runaway loop does not.
REALTIME_RATE_LIMIT = env("REALTIME_RATE_LIMIT", 20.0, low=0.01, high=1_000_000)
REALTIME_RATE_BURST = env("REALTIME_RATE_BURST", 40.0, low=1, high=1_000_000)

# Connections in all. One idle connection takes about 25 KB: 10,000 fit a Raspberry Pi.
REALTIME_MAX_CONNECTIONS = env("REALTIME_MAX_CONNECTIONS", 10_000, low=1, high=1_000_000)

# Connections in one room, and rooms: a room costs its history.
REALTIME_MAX_MEMBERS = env("REALTIME_MAX_MEMBERS", 2_000, low=1, high=1_000_000)
REALTIME_MAX_ROOMS = env("REALTIME_MAX_ROOMS", 1_000, low=1, high=1_000_000)

# Event streams (Server-Sent Events) in all; each is about as dear as a connection.
REALTIME_MAX_STREAMS = env("REALTIME_MAX_STREAMS", 1_000, low=0, high=1_000_000)

# Members shown by name. Above it only the count goes out: nobody reads a list of 300, and its
# text grows with the square of the members.
REALTIME_ROSTER_LIMIT = env("REALTIME_ROSTER_LIMIT", 200, low=0, high=10_000)

# A member's own state in the roster, in bytes of JSON. As Pusher's and PartyKit's.
REALTIME_STATE_SIZE = env("REALTIME_STATE_SIZE", 2_048, low=0, high=65_536)

# Waiting for a slow reader, in bytes; more ends the connection with 4508. As Centrifugo's.
REALTIME_OUTBOX_BYTES = env("REALTIME_OUTBOX_BYTES", 1_048_576, low=65_536, high=1_073_741_824)

# The same in messages, for readers of many small ones.
REALTIME_OUTBOX_MESSAGES = env("REALTIME_OUTBOX_MESSAGES", 16_384, low=16, high=1_000_000)

# A reader that takes nothing for so many seconds is gone, whatever TCP believes.
REALTIME_SEND_TIMEOUT = env("REALTIME_SEND_TIMEOUT", 10.0, low=0.1, high=3_600)

# Native clients (a Python script, an ESP32) send no Origin and are let in; true refuses them.
REALTIME_STRICT_ORIGIN = env("REALTIME_STRICT_ORIGIN", False)

# --- Rooms ---------------------------------------------------------------------------------------

# Messages that a room remembers for who comes back, and for how many seconds.
REALTIME_HISTORY_SIZE = env("REALTIME_HISTORY_SIZE", 100, low=0, high=100_000)
REALTIME_HISTORY_AGE = env("REALTIME_HISTORY_AGE", 3_600.0, low=0, high=31_536_000)

# Bytes of memory for what all rooms together remember; above it those with the most forget their
# oldest messages, so that who fills a thousand rooms takes nothing from the small ones. 128 MiB.
REALTIME_HISTORY_TOTAL_BYTES = env(
    "REALTIME_HISTORY_TOTAL_BYTES", 134_217_728, low=1_048_576, high=1_099_511_627_776
)

# Seconds between the pings of a room, by which a page notices that the server is gone.
REALTIME_HEARTBEAT = env("REALTIME_HEARTBEAT", 20.0, low=0.1, high=3_600)

# Seconds for which a member who vanished is shown as away before they have left, and for which
# one who reloads the page has not left at all. 15 s is Ably's.
REALTIME_GRACE = env("REALTIME_GRACE", 15.0, low=0, high=86_400)
REALTIME_GRACE_RELOAD = env("REALTIME_GRACE_RELOAD", 3.0, low=0, high=86_400)

# Seconds for which comings and goings are gathered in a storm; in quiet they go out at once.
REALTIME_PRESENCE_INTERVAL = env("REALTIME_PRESENCE_INTERVAL", 0.05, low=0, high=60)

# --- HTTP API, commands, snapshot ---------------------------------------------------------------

# Bearer token of the HTTP API, which also opens /operator/. Without one, only this machine may use
# them, and who is logged in as staff.
REALTIME_API_TOKEN = env("REALTIME_API_TOKEN", "")

# Where the commands find the running server.
REALTIME_URL = env(
    "REALTIME_URL",
    "http://127.0.0.1:8000",
    pattern=URL,
    wanted="a URL such as http://10.0.0.2:8000",
)

# File that keeps histories over a restart; none by default, to spare the SD card. With it, clients
# go on where they were.
REALTIME_SNAPSHOT = env("REALTIME_SNAPSHOT", "")

# It is written when the server stops, and at most every so many seconds if something was said: so
# much a power cut may cost. An SD card bears five minutes for years.
REALTIME_SNAPSHOT_INTERVAL = env("REALTIME_SNAPSHOT_INTERVAL", 300.0, low=0.1, high=86_400)

# Names what browsers run: a screen that meets another build reloads itself. By default a digest of
# the static files of this package.
REALTIME_BUILD = env("REALTIME_BUILD", "")

env.refuse_unknown()
