"""Long jobs in threads: all see how far each is, also who comes later or reloads the page."""

import time
from contextlib import suppress
from itertools import count
from threading import Lock, Thread
from typing import Any

from realtime import RoomConsumer, publish
from realtime.hub import NotServingError
from realtime.room_consumer import Refused

ROOM, MOST = "progress", 5  # jobs at a time
numbers, lock = count(1), Lock()
jobs: dict[int, int] = {}  # percent of each that runs, by its number


class Progress(RoomConsumer):
    def room_name(self) -> str:
        return ROOM

    async def on_start(self, message: dict[str, Any]) -> None:
        if len(jobs) >= MOST:
            raise Refused(f"{MOST} jobs run already: wait until one ends.")
        jobs[number := next(numbers)] = 0
        Thread(target=run, args=(number,), daemon=True).start()  # daemon: no stop waits for it


def run(number: int) -> None:
    for percent in range(0, 101, 2):
        report(number, percent)
        time.sleep(0.2)  # here would be the work; if it may fail, report 100 in a `finally`


def report(number: int, percent: int) -> None:
    with lock, suppress(NotServingError):  # once the server has stopped, nobody hears it
        jobs[number] = percent
        publish(ROOM, jobs.copy())
    if percent == 100:
        del jobs[number]
