// The operator's page: asks the server how it is every two seconds, shows it, and acts.
// All that it holds is the last answer, so it runs for months; it comes back when the server does.
// @ts-check
import { Plot } from "./plot.js";
import { button, element, fill, keep, row, twice, write } from "./table.js";

const EVERY_MS = 2000;
const HIDDEN_MS = 20_000; // while nobody looks
const PATIENCE_MS = 8000;
const SAID_MS = 8000;
const LATE = 0.5; // seconds of lag that people notice

// In words, for who does not know them by heart: RFC 6455 and docs.
/** @type {Record<string, string>} */
const CLOSES = {
  1000: "left", 1001: "page closed or reloaded", 1002: "broke the protocol", 1005: "connection lost", 1006: "connection lost",
  1007: "sent what is not UTF-8", 1009: "message too big", 1011: "a bug in the server, which its log tells, or a client that heard nothing", 1012: "server restarted",
  4400: "sent nonsense", 4401: "not logged in", 4403: "refused, or disconnected by the operator", 4404: "unknown path",
  4409: "replaced", 4503: "no place left", 4508: "read too slowly", 4529: "too many messages",
};

/** @type {any} the last answer */
let status;
/** @type {any} members of the room that is open */
let members;
let room = "";
let lostAt = 0; // performance.now() of the first question that was not answered
let lostWall = "";
let timer = 0;
let round = 0; // what belongs to an older one is ignored

// --- Asking and acting ----------------------------------------------------------------------------

class Refused extends Error {}

/** @param {string} path @param {any} [body] a POST */
async function ask(path, body) {
  const giveUp = new AbortController();
  const alarm = setTimeout(() => giveUp.abort(), PATIENCE_MS);
  const token = /** @type {HTMLInputElement} */ (document.querySelector("[name=csrfmiddlewaretoken]")).value;
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  const post = { method: "POST", headers, body: JSON.stringify(body) };
  try {
    const response = await fetch(path, { cache: "no-store", signal: giveUp.signal, ...(body && post) });
    const answer = await response.json().catch(() => null);
    if (response.status >= 502 || answer === null) throw new Error("the server does not answer");
    if (!response.ok) throw Object.assign(new Refused(answer.error.detail), { status: response.status });
    return answer;
  } catch (error) {
    throw error instanceof Refused ? error : new Error("the server does not answer");
  } finally {
    clearTimeout(alarm);
  }
}

/** Of a room; the slash behind its kind stays one, for some proxies refuse %2F. @param {string} room */
const place = (room) => `/api/rooms/${room.split("/").map(encodeURIComponent).join("/")}/`;

/** @param {string} room @param {string} [member] @param {string} [act] */
const address = (room, member, act) =>
  `${place(room)}members/${member === undefined ? "" : `${encodeURIComponent(member)}/${act}/`}`;

/** Do it, say what came of it, and look. @param {string} path @param {any} body @param {(answer: any) => string} told */
async function act(path, body, told) {
  try {
    say(told(await ask(path, body)));
    poll();
    return true;
  } catch (error) {
    say(`That did not work: ${/** @type {Error} */ (error).message}`, true);
    return false;
  }
}

async function poll() {
  clearTimeout(timer);
  const mine = ++round;
  try {
    const [now, there] = await Promise.all([ask(`/api/status/?series=1&q=${sought("find-room")}`), roster()]);
    if (mine !== round) return;
    [status, members] = [now, there];
    lostAt = 0;
    show();
    reloadForNewBuild();
  } catch (error) {
    if (mine !== round) return;
    lost(/** @type {any} */ (error));
  }
  timer = setTimeout(poll, document.hidden ? HIDDEN_MS : EVERY_MS);
}

/** Who is in the open room; null when it is not there any more. */
async function roster() {
  if (!room) return undefined;
  return ask(`${address(room)}?q=${sought("find-member")}`).catch((error) => {
    if (error.status === 404) return null;
    if (error.status === 400) return { members: [], count: 0, problem: error.message }; // named by code of the project's
    throw error;
  });
}

/** @param {string} id */
const sought = (id) => encodeURIComponent(field(id).value.trim().slice(0, 64));

/** @param {{message: string, status?: number}} error */
function lost({ message, status: code }) {
  if (!lostAt) [lostAt, lostWall] = [performance.now(), clock(Date.now())];
  const isClosed = code === 401 || code === 403;
  element("light").className = "light closed";
  element("operator").classList.add("stale");
  write(element("status"), isClosed ? `Not allowed any more, reload this page: ${message}` : `Offline since ${lostWall}: ${message}`);
  write(element("facts"), `The numbers are ${span((performance.now() - lostAt) / 1000)} old.`);
}

// --- Showing --------------------------------------------------------------------------------------

const plots = {
  connections: new Plot(element("plots"), "Connections", whole, 5),
  delivered: new Plot(element("plots"), "Delivered a second", whole, 10),
  lag: new Plot(element("plots"), "Loop lag", (value) => `${whole(value)} ms`, 10),
  memory: new Plot(element("plots"), "Memory", bytes, 1e6),
};

function show() {
  const { series, rates, lag, memory, connections } = status;
  element("light").className = "light open";
  element("operator").classList.remove("stale");
  write(element("status"), "Live");
  write(element("facts"), `up ${span(status.uptime)}, build ${status.build}`);
  plots.connections.draw(series.connections, series.ago, connections);
  plots.delivered.draw(series.delivered, series.ago, rates?.delivered);
  plots.lag.draw(series.lag.map((/** @type {number} */ s) => s * 1000), series.ago);
  plots.memory.draw(series.memory, series.ago, memory);
  showFigures();
  showScreens(status.screens);
  showRooms(status.rooms);
  showRoom();
  showEnds();
  showProblems(status.screens.list, lag);
}

function showFigures() {
  const { rates, outbox } = status;
  const figures = [
    ["members", whole(status.members)],
    ["rooms", whole(status.rooms.count)],
    ["received a second", rates ? whole(rates.received) : "–"],
    ["sent a second", rates ? bytes(rates.sent_bytes) : "–"],
    ["waiting for readers", bytes(outbox.sum)],
    ["most for one", bytes(outbox.largest)],
    ["closed as slow", whole(status.slow)],
    ["dropped", whole(status.dropped)],
    ["worst lag, 1 min", `${whole(status.lag.worst * 1000)} ms`],
  ];
  keep(element("figures"), figures, ([label]) => label, ([label]) => {
    const node = document.createElement("div");
    const [term, value] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = label;
    value.className = "value";
    node.append(term, value);
    return node;
  }, (node, [, text]) => fill(node, "value", text));
}

/** @type {Map<string, string>} when each was last seen; by the clock of this machine, for people */
const since = new Map();

/** @param {any[]} screens @param {any} lag */
function showProblems(screens, lag) {
  const missing = screens.filter(({ state }) => state === "missing");
  const known = new Set(missing.map(keyOf));
  for (const key of since.keys()) if (!known.has(key)) since.delete(key);
  for (const screen of missing) if (!since.has(keyOf(screen))) since.set(keyOf(screen), clock(Date.now() - screen.gone * 1000));
  const late = lag.worst > LATE ? [{ late: lag.worst }] : [];
  keep(element("problems"), [...missing, ...late], (each) => (each.late ? "lag" : keyOf(each)), makeProblem, (node, each) => {
    fill(node, "subject", each.late ? "The server was busy" : each.name);
    fill(node, "what", each.late ? "messages came late within the last minute" : `in ${each.room} is missing since ${since.get(keyOf(each))}`);
    fill(node, "ago", each.late ? `${whole(each.late * 1000)} ms` : span(each.gone));
  });
}

/** @param {any} screen */
function makeProblem(screen) {
  const node = document.createElement("li");
  for (const [tag, kind] of [["b", "subject"], ["span", "what"], ["span", "ago"]]) {
    const part = document.createElement(tag);
    part.className = kind;
    if (kind === "subject") part.dir = "auto";
    if (kind === "ago") part.setAttribute("aria-hidden", "true"); // or it would be read out every two seconds
    node.append(part, " ");
  }
  if (screen.late) node.className = "mild";
  else node.append(twice(button("Forget it", () => {}), () => forget(screen), "Really forget it?"));
  return node;
}

/** @param {any} item */
const keyOf = ({ room, member }) => JSON.stringify([room, member]);

/** @param {any} screens */
function showScreens({ list, count, expected, missing }) {
  const words = [count > list.length ? `${list.length} of ${whole(count)}` : "", expected ? `${expected} expected` : "", missing ? `${missing} missing` : ""];
  write(element("screens-count"), words.filter(Boolean).join(", "));
  element("no-screens").hidden = list.length > 0;
  element("screens-table").hidden = !list.length;
  element("not-kept").hidden = !expected || status.keeps_screens;
  keep(element("screens"), list, keyOf, makeScreen, (node, screen) => {
    node.dataset.state = screen.state;
    fill(node, "screen", screen.name);
    fill(node, "where", screen.room);
    fill(node, "state", stateOf(screen));
    write(node.querySelector(".expect"), screen.expected ? "Forget" : "Expect");
    for (const each of /** @type {NodeListOf<HTMLButtonElement>} */ (node.querySelectorAll(".here"))) each.disabled = screen.state !== "here";
  });
  const select = /** @type {HTMLSelectElement} */ (element("to"));
  const wanted = select.value;
  const targets = [{ all: true }, ...list.filter((/** @type {any} */ each) => each.state === "here" || keyOf(each) === wanted)];
  // One that was chosen stays chosen: what is meant for it must not go to all.
  if (wanted && !targets.some((each) => !each.all && keyOf(each) === wanted)) targets.push(lostTarget(wanted));
  keep(select, targets, (each) => (each.all ? "" : keyOf(each)), ({ all, ...each }) => new Option("", all ? "" : keyOf(each)), (node, each) =>
    write(node, each.all ? "all screens" : `${each.name} (${each.room})`));
}

/** @param {string} key */
function lostTarget(key) {
  const [room, member] = JSON.parse(key);
  return { room, member, name: "away" };
}

/** @param {any} screen */
function stateOf({ state, gone, expected }) {
  if (state === "here") return expected ? "here, expected" : "here";
  return state === "missing" ? `missing for ${span(gone)}` : `away for ${span(gone)}`;
}

/** @param {any} screen */
function makeScreen(screen) {
  const path = (/** @type {string} */ what) => address(screen.room, screen.member, what);
  const identify = button("Identify", () => act(path("identify"), {}, () => `${screen.name} flashes its name.`));
  const message = button("Message …", () => {
    field("to").value = keyOf(screen);
    field("words").focus();
  });
  const reload = twice(button("Reload", () => {}), () => act(path("reload"), {}, () => `${screen.name} loads its page again.`), "Reload it?");
  for (const each of [identify, message, reload]) each.classList.add("here");
  const expect = button("Expect", () => {
    if (expect.textContent === "Forget") forget(screen);
    else act(path("expect"), {}, () => `${screen.name} is expected: you will see here when it is missing.`);
  });
  expect.classList.add("expect");
  return row(["screen text", "where text", "state", "acts"], [identify, message, reload, expect]);
}

/** @param {any} screen */
const forget = (screen) => act(address(screen.room, screen.member, "forget"), {}, () => `${screen.name} is not expected any more.`);

/** @param {any} rooms */
function showRooms({ list, found, count }) {
  write(element("rooms-count"), found > list.length ? `the ${list.length} fullest of ${whole(found)}` : found < count ? `${found} of ${whole(count)}` : "");
  keep(element("rooms"), list, ({ name }) => name, makeRoom, (node, each) => {
    node.querySelector("button")?.setAttribute("aria-pressed", String(each.name === room));
    fill(node, "members", whole(each.members));
    fill(node, "connections", whole(each.connections));
    fill(node, "offset", whole(each.offset));
  });
}

/** @param {any} item */
function makeRoom({ name }) {
  const open = button(name, () => openRoom(name));
  open.className = "link name";
  open.dir = "auto";
  const node = row(["called", "members number", "connections number", "offset number"]);
  node.firstElementChild?.append(open);
  return node;
}

/** @param {string} name */
function openRoom(name) {
  room = name;
  members = undefined;
  write(element("room-heading"), name);
  field("find-member").value = "";
  // A room of a kind has pages of its project, if it has any: ours speak to ws/rooms/<room>/.
  element("links").hidden = name.includes("/");
  for (const [id, path] of [["room-link", "rooms"], ["board-link", "board"]])
    /** @type {HTMLAnchorElement} */ (element(id)).href = `/${path}/${encodeURIComponent(name)}/`;
  showRooms(status.rooms);
  showRoom();
  poll();
  if (element("room").getBoundingClientRect().top > innerHeight * 0.8) element("room").scrollIntoView();
}

function showRoom() {
  element("no-room").hidden = Boolean(room);
  element("one-room").hidden = !room;
  const { list = [], count = 0 } = members ? { list: members.members, count: members.count } : {};
  const many = count > list.length ? `The first ${list.length} of ${whole(count)}.` : "";
  write(element("members-count"), members === null ? "Nobody is in it, and nothing is remembered." : members?.problem ?? (members && !count ? "Nobody." : many));
  keep(element("members"), list, ({ id }) => `${room}\n${id}`, makeMember, (node, each) => {
    node.classList.toggle("away", each.away);
    fill(node, "member", each.name);
    node.firstElementChild?.setAttribute("title", each.id);
    fill(node, "state", `${each.away ? "away " : ""}${brief(each.state)}`);
    fill(node, "connections", whole(each.connections));
    fill(node, "outbox", each.outbox ? bytes(each.outbox) : "");
  });
}

/** @param {any} member */
function makeMember({ id, name }) {
  const there = room;
  const end = () => act(address(there, id, "disconnect"), {}, ({ closed }) => `${name} was disconnected (${counted(closed, "connection")}).`);
  const kick = twice(button("Disconnect", () => {}), end, "Disconnect?");
  return row(["member text", "state text", "connections number", "outbox number", "acts"], [kick]);
}

/** @param {any} state */
function brief(state) {
  const text = JSON.stringify(state);
  return text === "{}" ? "" : text.length > 120 ? `${text.slice(0, 120)} …` : text;
}

function showEnds() {
  const pairs = (/** @type {Record<string, number>} */ counts, /** @type {Record<string, string>} */ words) =>
    Object.entries(counts).sort(([, a], [, b]) => b - a).map(([code, count]) => ({ code, words: words[code] ?? "", count: whole(count) }));
  const slowest = status.outbox.slowest.map((/** @type {any} */ { room, name, bytes: size }, /** @type {number} */ i) =>
    ({ key: i, code: name || "–", words: room ?? "in no room", count: bytes(size) }));
  for (const [id, list] of [["closes", pairs(status.closes, CLOSES)], ["refusals", pairs(status.refusals, {})], ["slowest", slowest]])
    keep(element(id), list.length ? list : [{ code: "none", words: "", count: "" }], ({ key, code }) => `${key ?? code}`,
      () => row(["code", "words text", "count number"]), (node, each) => {
        for (const kind of ["code", "words", "count"]) fill(node, kind, each[kind]);
      });
}

// --- Words ----------------------------------------------------------------------------------------

let silence = 0;
/** @param {string} text @param {boolean} isProblem */
function say(text, isProblem = false) {
  write(element("said"), text);
  element("said").classList.toggle("problem", isProblem);
  clearTimeout(silence);
  silence = setTimeout(() => write(element("said"), ""), SAID_MS);
}

/** @param {number} value */
function whole(value) {
  return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 }).replaceAll(",", "\u202f");
}

/** @param {number} count @param {string} what */
const counted = (count, what) => `${whole(count)} ${what}${count === 1 ? "" : "s"}`;

/** @param {number} value */
function bytes(value) {
  const power = value < 1e3 ? 0 : value < 1e6 ? 1 : value < 1e9 ? 2 : 3;
  return `${whole(value / 1000 ** power)} ${["B", "kB", "MB", "GB"][power]}`;
}

/** @param {number} s */
function span(s) {
  if (s < 100) return `${Math.floor(s)} s`;
  if (s < 6000) return `${Math.floor(s / 60)} min`;
  return s < 172_800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86_400)} days`;
}

/** The time, with the day when it is not today. @param {number} ms */
function clock(ms) {
  const date = new Date(ms);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

// --- From the operator ----------------------------------------------------------------------------

/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ (element(id));

/** @param {string} what @param {any} body @param {(count: string) => string} told */
function callScreens(what, body, told) {
  const to = field("to").value;
  const path = to && what === "message" ? address(.../** @type {[string, string]} */ (JSON.parse(to)), what) : `/api/screens/${what}/`;
  return act(path, body, ({ receivers }) => told(counted(receivers, "screen")));
}

element("call").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = field("words").value.trim();
  if (!text) return say("Type what the screens are to show.", true);
  const isShown = await callScreens("message", { text, seconds: Number(field("seconds").value) }, (count) => `Shown on ${count}.`);
  if (isShown) field("words").value = "";
});
element("clear").addEventListener("click", () => callScreens("message", { text: "" }, (count) => `Cleared on ${count}.`));
element("identify-all").addEventListener("click", () => callScreens("identify", {}, (count) => `Identified: ${count}.`));
twice(element("reload-all"), () => callScreens("reload", {}, (count) => `Reloading: ${count}.`), "Really all?");

element("publish").addEventListener("submit", async (event) => {
  event.preventDefault();
  let data;
  try {
    data = JSON.parse(field("data").value);
  } catch {
    return say('This is not JSON. Text needs quotes: "hello"; an object looks like {"temp": 21.5}.', true);
  }
  await act(`${place(room)}messages/`, { data }, ({ offset, receivers }) => `Published as message ${offset} to ${counted(receivers, "connection")}.`);
});
element("data").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) /** @type {HTMLFormElement} */ (element("publish")).requestSubmit();
});
for (const id of ["find-room", "find-member"]) element(id).addEventListener("input", () => poll());
document.addEventListener("visibilitychange", () => document.hidden || poll());
for (const type of ["online", "pageshow"]) addEventListener(type, () => poll());

/** Once, and not while somebody types. */
function reloadForNewBuild() {
  const known = document.body.dataset.build;
  document.body.dataset.build ??= status.build;
  const isTyping = [...document.querySelectorAll("input:not([type=hidden]), textarea")].some((each) => /** @type {HTMLInputElement} */ (each).value);
  if (known && known !== status.build && !isTyping) location.reload();
}

poll();
