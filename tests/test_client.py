"""The browser's side of a room, `realtime.js`: its rules by Node, the rest in a real Chromium.

A test drives rooms from a page that has none of its own; what they tell is kept in `window.heard`.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, WebSocketRoute

from tests.browsers import COMMAND, pytestmark  # noqa: F401 (marks this module)
from tests.processes import ROOT, Process, free_port, running
from tests.proxy import proxy_to

NODE = shutil.which("node")
SCRIPT = ROOT / "realtime/static/realtime/realtime.js"

# A browser gets at most so many bytes, as it is served and gzipped.
LARGEST = 5 * 1024

BACK = 20  # seconds: a try may wait for 10
SETTINGS = {
    "REALTIME_HEARTBEAT": "0.5",
    "REALTIME_GRACE": "2",
    "REALTIME_RATE_LIMIT": "10000",
    "REALTIME_RATE_BURST": "10000",
}

JOIN = """async ([name, options]) => {
  const { join } = await import("/static/realtime/realtime.js");
  const room = join(name, options);
  const heard = [];
  const types = "message signal join leave update status error welcome build";
  for (const type of types.split(" "))
    room.on(type, (detail) => heard.push([type, detail]));
  Object.assign(window, { room, heard });
}"""


async def joined(context: BrowserContext, room: str, **options: Any) -> Page:
    """A page that is in the room."""
    page = await context.new_page()
    await page.goto("/healthz")
    await page.evaluate(JOIN, [room, options])
    await state(page, "connected")
    return page


async def stranger(browser: Browser, process: Process, room: str, **options: Any) -> Page:
    """The same for somebody else."""
    return await joined(await browser.new_context(base_url=process.http("")), room, **options)


async def until(page: Page, condition: str, seconds: float = 10) -> None:
    """Until it is true; asked from outside, for the page's policy forbids playwright's own way."""
    async with asyncio.timeout(seconds):
        while not await page.evaluate(condition):
            await page.wait_for_timeout(30)


async def state(page: Page, wanted: str, seconds: float = 10) -> None:
    await until(page, f"room.status.state === '{wanted}'", seconds)


def begin(page: Page, expression: str) -> asyncio.Future[Any]:
    """Evaluate it, and do not wait for the outcome."""
    return asyncio.ensure_future(page.evaluate(expression))


async def heard(page: Page, kind: str) -> list[Any]:
    found: list[Any] = await page.evaluate(
        "kind => heard.filter(([type]) => type === kind).map(([, detail]) => detail)", kind
    )
    return found


async def said(page: Page) -> list[Any]:
    return [message["data"] for message in await heard(page, "message")]


# --- Without a browser ----------------------------------------------------------------------------


@pytest.mark.skipif(NODE is None, reason="no Node here: install it to test the client's rules")
async def test_the_rules_hold_without_a_socket() -> None:
    assert NODE
    run = await asyncio.to_thread(
        subprocess.run,
        [NODE, "--test", str(ROOT / "tests/client")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


async def test_the_client_is_small() -> None:
    assert len(gzip.compress(SCRIPT.read_bytes(), 9)) <= LARGEST


# --- In a room ------------------------------------------------------------------------------------


async def test_a_message_is_acknowledged_with_its_offset(context: BrowserContext) -> None:
    page = await joined(context, "ack")
    assert await page.evaluate("room.send({ text: 'one' })") == 1
    assert await page.evaluate("Promise.all([room.send(2), room.send(3)])") == [2, 3]
    assert await said(page) == [{"text": "one"}, 2, 3]


async def test_history_comes_in_order_and_is_marked(context: BrowserContext) -> None:
    page = await joined(context, "past")
    await page.evaluate("Promise.all([1, 2, 3].map((n) => room.send(n)))")
    late = await joined(context, "past", history=2)
    assert [(m["data"], m["replayed"]) for m in await heard(late, "message")] == [
        (2, True),
        (3, True),
    ]


async def test_a_message_that_is_refused_says_why(context: BrowserContext) -> None:
    page = await joined(context, "refused")
    deep = "let deep = 1; for (let i = 0; i < 40; i++) deep = [deep];"
    code = await page.evaluate(f"() => {{ {deep} return room.send(deep).catch((e) => e.code) }}")
    assert code == "too_deep"
    assert await page.evaluate("room.send(1)") == 1


async def test_signals_and_states_reach_the_others(browser: Browser, process: Process) -> None:
    ada = await stranger(browser, process, "signals", name="Ada")
    bob = await stranger(browser, process, "signals", name="Bob")
    await bob.evaluate("room.signal({ typing: true })")
    await bob.evaluate("room.setState({ hand: 'up' })")
    await until(ada, "heard.some(([type]) => type === 'signal')")
    await until(ada, "room.members.find(({ name }) => name === 'Bob').state.hand === 'up'")
    assert (await heard(ada, "signal"))[0]["data"] == {"typing": True}
    assert await heard(bob, "signal") == []
    assert [member["name"] for member in await heard(ada, "join")] == ["Bob"]
    await bob.evaluate("room.leave()")
    await until(ada, "heard.some(([type]) => type === 'leave')")
    assert await bob.evaluate("room.status.state") == "closed"


async def test_a_listener_ends_and_one_that_throws_stops_no_other(context: BrowserContext) -> None:
    page = await joined(context, "listeners")
    await page.evaluate("""async () => {
      counts = { off: 0, signal: 0, after: 0 };
      const heard = () => new Promise((done) => room.on("message", done, { once: true }));
      const controller = new AbortController();
      const off = room.on("message", () => counts.off++);
      room.on("message", () => counts.signal++, { signal: controller.signal });
      room.on("message", () => { throw new Error("mine"); });
      room.on("message", () => counts.after++);
      room.send(1);
      await heard();
      off();
      controller.abort();
      room.send(2);
      await heard();
    }""")
    assert await page.evaluate("counts") == {"off": 1, "signal": 1, "after": 2}


async def test_two_rooms_on_a_page_are_two(context: BrowserContext) -> None:
    page = await joined(context, "kitchen")
    first = await page.evaluate_handle("room")
    await page.evaluate(JOIN, ["кухня 2 + 50%", {}])
    await state(page, "connected")
    assert await page.evaluate("(first) => [first.room, room.room]", first) == [
        "kitchen",
        "кухня 2 + 50%",
    ]
    await page.evaluate("room.send('here')")
    assert await page.evaluate("(first) => first.send('there')", first) == 1
    assert await said(page) == ["here"]


async def test_a_new_name_is_an_update_and_nobody_leaves(
    browser: Browser, process: Process
) -> None:
    ada = await stranger(browser, process, "names", name="Ada")
    bob = await stranger(browser, process, "names", name="Bob")
    tab = await joined(bob.context, "names", name="Bob")  # without a cookie: by localStorage
    await bob.evaluate("room.rename('Robert')")
    await until(ada, "room.members.some(({ name }) => name === 'Robert')")
    await until(bob, "room.me.name === 'Robert' && room.me.connections === 2")
    await until(tab, "room.options.name === 'Robert'")  # for when it comes back
    assert await bob.evaluate("room.send('after')") == 1
    assert await heard(ada, "leave") == []
    assert len(await heard(ada, "join")) == 1
    assert [status["state"] for status in await heard(bob, "status")] == ["connected"] * 2


async def test_of_the_names_given_before_the_first_welcome_the_last_counts(
    context: BrowserContext,
) -> None:
    page = await context.new_page()
    await page.goto("/healthz")
    early = f"await ({JOIN})(['early', {{}}]); room.rename('Ada'); room.rename('Bob');"
    await page.evaluate(f"async () => {{ {early} }}")
    await until(page, "room.me?.name === 'Bob' && room.me.connections === 1")
    await page.evaluate("room.rename('Cleo'); room.rename('Dora')")
    await until(page, "room.me?.name === 'Dora' && room.me.connections === 1")


async def test_it_works_on_a_plain_http_address_of_a_network(
    browser: Browser, process: Process
) -> None:
    context = await browser.new_context(base_url=f"http://kiosk.local:{process.port}")
    page = await joined(context, "lan")
    assert not await page.evaluate("isSecureContext")
    assert await page.evaluate("room.send(1)") == 1
    await context.close()


@pytest.mark.parametrize(
    ("url", "code", "reason"),
    [("/ws/notifications/", 4401, "Log in first."), ("/ws/no/such/path/", 4404, "no WebSocket")],
)
async def test_a_final_code_is_not_tried_again(
    context: BrowserContext, url: str, code: int, reason: str
) -> None:
    page = await context.new_page()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.goto("/healthz")
    await page.evaluate(JOIN, ["", {"url": url}])
    refused = begin(page, "room.send('never').catch((error) => error.code)")
    await state(page, "closed")
    status = await page.evaluate("room.status")
    assert (status["code"], reason in status["reason"]) == (code, True)
    assert await refused == "closed"
    await page.evaluate("dispatchEvent(new Event('online'))")
    await page.wait_for_timeout(1100)
    assert len(sockets) == 1
    assert await page.evaluate("room.send('never').catch((error) => error.code)") == "closed"


async def test_a_screen_that_was_refused_asks_again_after_about_a_minute(
    context: BrowserContext,
) -> None:
    page = await context.new_page()
    await page.clock.install()
    await page.goto("/healthz")
    await page.evaluate(JOIN, ["", {"url": "/ws/notifications/", "reload": True}])
    await until(page, "room.status.code === 4401")
    assert 30_000 <= await page.evaluate("room.status.retryIn") <= 90_000
    async with page.expect_websocket():
        await page.clock.fast_forward(91_000)
    await until(page, "heard.filter(([type]) => type === 'status').length === 2")


# --- When the network does not do its part --------------------------------------------------------


async def test_a_hole_in_the_presence_is_filled(browser: Browser, process: Process) -> None:
    """One `presence` is lost on its way; at the next the roster is asked for again."""
    context = await browser.new_context(base_url=process.http(""))
    lost: list[Any] = []

    def swallow(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(text: Any) -> None:
            frame = json.loads(text)
            if frame["type"] == "presence" and "Bob" in text and not lost:
                lost.append(frame)
            else:
                socket.send(text)

        server.on_message(pass_on)

    await context.route_web_socket("**/ws/**", swallow)
    ada = await joined(context, "holes", name="Ada")
    await stranger(browser, process, "holes", name="Bob")
    await ada.wait_for_timeout(200)
    await stranger(browser, process, "holes", name="Cleo")
    await until(ada, "room.members.length === 3")
    assert lost
    assert sorted(member["name"] for member in await heard(ada, "join")) == ["Bob", "Cleo"]


async def test_a_false_alarm_ends_no_connection(context: BrowserContext) -> None:
    page = await joined(context, "alarm")
    await page.evaluate("""() => {
      for (let i = 0; i < 360; i++)
        dispatchEvent(new Event(["offline", "online", "focus", "pageshow"][i % 4]));
      document.dispatchEvent(new Event("visibilitychange"));
      document.dispatchEvent(new Event("resume"));
    }""")
    await page.wait_for_timeout(3500)
    assert [status["state"] for status in await heard(page, "status")] == ["connected"]


async def test_a_dead_link_is_found_when_the_network_changes(context: BrowserContext) -> None:
    """Offline, this Chromium keeps the socket open and lets nothing through: a half-open link."""
    page = await joined(context, "half-open")
    await context.set_offline(True)
    await state(page, "reconnecting", seconds=6)
    assert "silent" in await page.evaluate("room.status.reason")
    later = begin(page, "room.send('kept')")
    await context.set_offline(False)
    await state(page, "connected", seconds=BACK)
    assert await later == 1
    assert await said(page) == ["kept"]


async def test_a_network_that_breaks_loses_and_doubles_nothing(
    browser: Browser, process: Process
) -> None:
    """Reset at any moment, then silent for longer than the watchdog waits."""
    receiver = await stranger(browser, process, "breaks")
    async with proxy_to(process.port) as proxy:
        context = await browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}")
        await context.add_init_script("const at = Math.random; Math.random = () => at() / 10;")
        sender = await joined(context, "breaks")
        sent = begin(
            sender,
            """async () => {
              const all = [];
              for (let n = 0; n < 150; n++) {
                all.push(room.send(n));
                await new Promise((done) => setTimeout(done, 20));
              }
              return Promise.all(all);
            }""",
        )
        for wait in (310, 730, 550, 910):
            await sender.wait_for_timeout(wait)
            proxy.cut()
        assert await sent == list(range(1, 151))
        proxy.is_swallowing = True
        last = begin(sender, "room.send('in the dark')")
        await state(sender, "reconnecting", seconds=3)
        proxy.is_swallowing = False
        assert await last == 151
        await until(receiver, "heard.filter(([type]) => type === 'message').length === 151")
        for page in (sender, receiver):
            assert await said(page) == [*range(150), "in the dark"]
        assert await heard(receiver, "leave") == []
        await context.close()


@pytest.mark.parametrize("seconds", [10, 20])
async def test_a_network_that_is_pulled_for_seconds_shows_nothing_and_loses_nothing(
    seconds: int, browser: Browser, tmp_path: Path
) -> None:
    """With the settings of every day, and real seconds.

    Ada's system sees that the cable is out and says so to its browser; Cleo's does not, for what
    was pulled is the router's.
    """
    with running(*COMMAND, folder=tmp_path) as process:
        bob = await stranger(browser, process, "pulled", name="Bob")
        async with proxy_to(process.port) as cable, proxy_to(process.port) as router:
            contexts = [
                await browser.new_context(base_url=f"http://127.0.0.1:{end.port}")
                for end in (cable, router)
            ]
            ada, cleo = [
                await joined(context, "pulled", name=name)
                for context, name in zip(contexts, ("Ada", "Cleo"), strict=True)
            ]
            await bob.evaluate("room.send('before')")
            cable.is_swallowing = router.is_swallowing = True
            await contexts[0].set_offline(True)
            sent = [begin(page, "room.send(`${room.me.name}'s`)") for page in (ada, cleo)]
            for second in range(seconds):
                await bob.evaluate(f"room.send({second})")
                await bob.wait_for_timeout(1000)
            cable.is_swallowing = router.is_swallowing = False
            await contexts[0].set_offline(False)
            await asyncio.wait_for(asyncio.gather(*sent), 2 * BACK)
            for page in (ada, bob, cleo):
                count = "heard.filter(([type]) => type === 'message').length"
                await until(page, f"{count} === {seconds + 3}")
                told = await said(page)
                assert told[: seconds + 1] == ["before", *range(seconds)]
                assert sorted(told[seconds + 1 :]) == ["Ada's", "Cleo's"]
            assert [member["name"] for member in await heard(bob, "join")] == ["Ada", "Cleo"]
            assert await heard(bob, "leave") == []
            # All that may be seen: that somebody is away, and back.
            assert {member["name"] for member in await heard(bob, "update")} <= {"Ada", "Cleo"}
            await until(bob, "room.members.every(({ away }) => !away)")
            for context in contexts:
                await context.close()


async def test_a_connection_that_the_browser_kept_and_is_dead_costs_seconds(
    browser: Browser, process: Process
) -> None:
    async with proxy_to(process.port) as proxy:
        context = await browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}")
        page = await joined(context, "dead")
        asked: list[float] = []
        page.on("request", lambda request: asked.append(time.monotonic()))
        proxy.lose()
        await state(page, "reconnecting", seconds=5)
        await state(page, "connected", seconds=30)
        assert asked[1] - asked[0] < 9  # it did not wait ten for the first answer alone
        await context.close()


async def test_a_return_leaves_nothing_in_the_console(browser: Browser, process: Process) -> None:
    async with proxy_to(process.port) as proxy:
        context = await browser.new_context(base_url=f"http://127.0.0.1:{proxy.port}")
        complaints: list[str] = []
        context.on("console", lambda message: complaints.append(message.text))
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.method))
        page = await joined(context, "quiet")
        proxy.cut()
        await state(page, "reconnecting")
        await state(page, "connected", seconds=BACK)
        await context.close()
    assert "OPTIONS" in asked
    assert complaints == []


# --- When the server does not do its part ---------------------------------------------------------


async def test_what_waits_is_bounded_and_delivered_once_and_in_order(
    browser: Browser, tmp_path: Path
) -> None:
    """Killed and started again, with the limits of every day: 20 a second, 40 at once."""
    port = free_port()
    with running(*COMMAND, folder=tmp_path, port=port) as process:
        ada = await stranger(browser, process, "restart", name="Ada")
        bob = await stranger(browser, process, "restart", name="Bob")
        await bob.evaluate("room.setState({ hand: 'up' })")
        process.stop(signal.SIGKILL)
        await state(ada, "reconnecting")
        await state(bob, "reconnecting")
        await ada.evaluate(
            "() => { sent = Promise.all([...Array(100).keys()].map((n) => room.send(n))); }"
        )
        assert await ada.evaluate("room.send('one more').catch((error) => error.code)") == "full"
        assert await ada.evaluate("room.signal('lost')") is False
    with running(*COMMAND, folder=tmp_path, port=port):
        await state(ada, "connected", seconds=BACK)
        await state(bob, "connected", seconds=BACK)
        await until(bob, "heard.filter(([type]) => type === 'message').length === 100", BACK)
        assert await said(bob) == list(range(100))
        assert await ada.evaluate("sent") == list(range(1, 101))
        assert (await heard(ada, "welcome"))[-1]["recovered"] is False
        await until(ada, "room.members.some(({ state }) => state.hand === 'up')")
        assert await ada.evaluate("room.me.name") == "Ada"
    await ada.context.close()
    await bob.context.close()


async def test_a_frozen_server_is_noticed_and_nothing_is_doubled(
    browser: Browser, tmp_path: Path
) -> None:
    with running(*COMMAND, folder=tmp_path, env=SETTINGS) as process:
        ada = await stranger(browser, process, "frozen", name="Ada")
        bob = await stranger(browser, process, "frozen", name="Bob")
        process.popen.send_signal(signal.SIGSTOP)
        try:
            sent = begin(ada, "room.send('on its way')")
            await asyncio.gather(*(state(page, "reconnecting", 2.5) for page in (ada, bob)))
            later = begin(ada, "room.send('later')")
            await ada.wait_for_timeout(1000)
        finally:
            process.popen.send_signal(signal.SIGCONT)
        await asyncio.gather(*(state(page, "connected", seconds=BACK) for page in (ada, bob)))
        assert [await sent, await later] == [1, 2]
        await until(bob, "heard.filter(([type]) => type === 'message').length === 2")
        assert await said(ada) == await said(bob) == ["on its way", "later"]
        assert (await heard(bob, "welcome"))[-1]["recovered"] is True
        assert await heard(ada, "leave") == []
    await ada.context.close()
    await bob.context.close()


async def test_a_new_build_reloads_a_kiosk_once_and_not_while_somebody_types(
    browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    with running(*COMMAND, folder=tmp_path, port=port, env={"REALTIME_BUILD": "one"}) as process:
        context = await browser.new_context(base_url=process.http(""))
        await context.add_init_script("Math.random = () => 0.01;")  # 0.2 s in the place of 0 to 20
        kiosk = await context.new_page()
        loads: list[str] = []
        kiosk.on("load", lambda page: loads.append(page.url))
        await kiosk.goto("/echo/")
        await kiosk.evaluate(JOIN, ["kiosk", {"reload": True}])
        await state(kiosk, "connected")
        await kiosk.fill("#text", "half a sent")
    with running(*COMMAND, folder=tmp_path, port=port, env={"REALTIME_BUILD": "two"}):
        await state(kiosk, "connected", seconds=BACK)
        assert await heard(kiosk, "build") == ["two"]
        await kiosk.wait_for_timeout(700)
        assert len(loads) == 1
        async with kiosk.expect_event("load"):
            await kiosk.fill("#text", "")
        assert await kiosk.evaluate("sessionStorage.realtimeBuild") == "two"
        await kiosk.wait_for_timeout(700)
        assert len(loads) == 2
    await context.close()
