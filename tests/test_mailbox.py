"""The part of asyncio.Queue that a consumer needs."""

from __future__ import annotations

import asyncio

from realtime.mailbox import Mailbox, Message


def message(number: int) -> Message:
    return {"type": "number", "number": number}


async def test_what_is_put_first_is_got_first() -> None:
    mailbox = Mailbox()
    assert [mailbox.put_nowait(message(number)) for number in range(3)] == [1, 2, 3]
    assert [(await mailbox.get())["number"] for _ in range(3)] == [0, 1, 2]
    assert not len(mailbox)


async def test_a_reader_waits_for_a_message() -> None:
    mailbox = Mailbox()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    assert not reader.done()
    mailbox.put_nowait(message(1))
    assert await reader == message(1)


async def test_several_messages_wake_a_reader_once() -> None:
    mailbox = Mailbox()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put_nowait(message(1))
    mailbox.put_nowait(message(2))
    assert await reader == message(1)
    assert await mailbox.get() == message(2)


async def test_a_cancelled_reader_takes_nothing_with_it() -> None:
    mailbox = Mailbox()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    reader.cancel()
    mailbox.put_nowait(message(1))
    await asyncio.wait([reader])
    assert reader.cancelled()
    assert await mailbox.get() == message(1)


async def test_a_reader_that_was_woken_and_cancelled_leaves_the_message() -> None:
    mailbox = Mailbox()
    reader = asyncio.create_task(mailbox.get())
    await asyncio.sleep(0)
    mailbox.put_nowait(message(1))
    reader.cancel()
    await asyncio.wait([reader])
    assert len(mailbox) == 1


async def test_on_empty_is_called_once_when_all_is_read() -> None:
    mailbox = Mailbox()
    calls: list[int] = []
    mailbox.put_nowait(message(1))
    mailbox.put_nowait(message(2))
    mailbox.on_empty = lambda: calls.append(len(mailbox))
    await mailbox.get()
    assert calls == []
    await mailbox.get()
    assert calls == [0]
    mailbox.put_nowait(message(3))
    await mailbox.get()
    assert calls == [0]
