"""The project's application, and one address more: what its process holds. Only the soak serves it.

Its timers run fast, so that minutes see what weeks would: rooms go away a few seconds after the
last word in them (the soak's environment sets the ages), and are swept each second.
"""

import asyncio
import gc
import json
import os
import sys
from collections import Counter
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

from channels.layers import get_channel_layer

from app import application as project
from realtime import consumer, hub, lag
from realtime.counters import crashes, traffic

hub.SWEEP = 1.0
PAGE = os.sysconf("SC_PAGE_SIZE")


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["path"] != "/held":
        await project(scope, receive, send)
        return
    body = json.dumps(held() | (collected() if scope["query_string"] else {})).encode()
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


def held() -> dict[str, Any]:
    layer: Any = get_channel_layer()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return {
        "memory": pages * PAGE,
        "connections": len(consumer.live),
        "streams": hub.serve_here().readers.total(),
        "rooms": len(hub.serve_here().rooms),
        "groups": len(layer.groups),
        "subscribers": len(layer._subscribers),
        "tasks": len(asyncio.all_tasks()),
        "files": len(os.listdir("/proc/self/fd")),
        "lag": lag.latest(),
        "worst": lag.worst(),
        "received": traffic.received,
        "delivered": traffic.delivered,
        "bugs": crashes.total(),
    }


def collected() -> dict[str, Any]:
    """What is left when the garbage is out: this takes a while, and stops the loop for it."""
    gc.collect()
    blocks = sys.getallocatedblocks()
    kinds = Counter(
        f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects()
    )
    # Those of the start are frozen, and not among the listed.
    objects = kinds.total() + gc.get_freeze_count()
    return {"objects": objects, "blocks": blocks, "kinds": kinds}
