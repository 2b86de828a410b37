"""A sensor that needs no hardware: a thread measures and publishes, every page shows it."""

import math
import time
from contextlib import suppress
from threading import Thread
from typing import ClassVar

from realtime import RoomConsumer, publish
from realtime.hub import NotServingError

ROOM = "gauge"
INTERVAL = 1.0  # seconds


def measure() -> dict[str, float]:
    """Here a real sensor would be read."""
    now = time.monotonic()
    return {"temperature": 21 + 4 * math.sin(now / 9), "humidity": 50 + 20 * math.cos(now / 13)}


def run() -> None:
    with suppress(NotServingError):  # the server has stopped, and nobody is left to hear
        while True:
            publish(ROOM, measure())
            time.sleep(INTERVAL)


class Gauge(RoomConsumer):
    sensor: ClassVar = Thread()  # one for all visitors; this first one never runs

    def room_name(self) -> str:
        return ROOM

    async def connect(self) -> None:
        """The first visitor starts the sensor; an import does not, for commands import too."""
        await super().connect()
        if not Gauge.sensor.is_alive():
            Gauge.sensor = Thread(target=run, name="sensor", daemon=True)  # no stop waits for it
            Gauge.sensor.start()
