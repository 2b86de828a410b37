// The page of a room: who is here, what they say, who is typing, and how the connection is.
// All text from people goes through textContent.
// @ts-check
import { join } from "./realtime.js";

const SHOWN = 100; // lines kept in the page
const TYPING_MS = [2000, 3500]; // how often it is told, and how long it is believed
const GATHER_MS = 2000; // comings and goings are told together
const RETURN_MS = 15_000; // after a restart all come back, which is no news
const WAIT_MS = 300; // a message that takes longer is shown as not yet sent

/** @typedef {import("./realtime.js").Member} Member */

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ (element(id));

const log = element("log");
const place = element("room").dataset.room ?? "";
const title = document.title;
const stored = new URLSearchParams(location.search).get("name") ?? recall();
const room = join(place, { history: SHOWN, name: stored || undefined });

// --- The connection ---

let lostAt = 0; // when it was lost, on the page's own clock; 0 while it is up
let quietUntil = 0;

room.on("status", ({ state, code, reason }) => {
  const words = {
    connecting: `Connecting … ${reason ? `(${reason})` : ""}`,
    connected: "Connected",
    reconnecting: `Reconnecting: ${reason}`,
    closed: `Closed: ${reason} (${code})`,
  }[/** @type {typeof room.status.state} */ (state)];
  element("status").textContent = words;
  element("light").className = `light ${{ connected: "open", closed: "closed" }[/** @type {string} */ (state)] ?? "trying"}`;
  field("text").disabled = state === "closed";
  element("room").classList.toggle("stale", state !== "connected");
  if (state === "reconnecting") lostAt ||= performance.now();
});

room.on("welcome", ({ recovered, messages }) => {
  const away = lostAt && performance.now() - lostAt;
  lostAt = 0;
  if (!away) return;
  const missed = messages.length === 1 ? "1 missed message" : `${messages.length} missed messages`;
  const found = recovered ? (messages.length ? `, with ${missed}` : "") : ". Some messages may be lost: the server started anew";
  if (!recovered) quietUntil = performance.now() + RETURN_MS;
  note(`Back after ${seconds(away)}${found}.`);
});

// --- What is said ---

/** @type {HTMLElement[]} lines for the next frame; a hidden page draws none */
let fresh = [];
let unread = 0;
/** @type {Set<string>} what is shown, for a server that starts anew from its snapshot says it again */
const shown = new Set();

room.on("message", ({ offset, member, name, data, at, replayed }) => {
  const key = `${at} ${offset}`;
  if (shown.has(key)) return;
  shown.add(key);
  if (shown.size > 2 * SHOWN) shown.delete(/** @type {string} */ (shown.values().next().value));
  if (member) stopTyping(member);
  add(line(member, name || "Server", words(data), at));
  if (document.hidden && !replayed) document.title = `(${++unread}) ${title}`;
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  document.title = title;
});

/** @param {any} data */
function words(data) {
  const text = data?.text ?? data;
  if (typeof text === "string") return text;
  const entries = Object.entries(text ?? {});
  const isFlat = text?.constructor === Object && entries.length && entries.every(([, value]) => Object(value) !== value);
  return isFlat ? entries.map(([key, value]) => `${key}: ${value}`).join(", ") : JSON.stringify(text);
}

/** @param {string | null} member @param {string} name @param {string} text @param {string} at */
function line(member, name, text, at) {
  const item = document.createElement("div");
  const who = document.createElement("b");
  const time = document.createElement("time");
  who.textContent = name;
  time.textContent = clock(at);
  if (member) colour(who, member);
  item.classList.toggle("mine", member === room.id);
  item.dir = "auto";
  item.append(who, time, text);
  return item;
}

/** @param {string} text */
function note(text) {
  const item = document.createElement("div");
  item.className = "note";
  item.textContent = text;
  add(item);
}

/** @param {HTMLElement} item */
function add(item) {
  if (fresh.push(item) === 1) requestAnimationFrame(draw);
  if (fresh.length > SHOWN) fresh.splice(1, fresh.length - SHOWN);
}

function draw() {
  log.append(...fresh);
  fresh = [];
  while (log.childElementCount > SHOWN) log.firstElementChild?.remove();
  keepAtEnd();
}

let isAtEnd = true; // until somebody scrolls back to read
let lastTop = 0;

function keepAtEnd() {
  if (isAtEnd) log.scrollTop = log.scrollHeight;
  lastTop = log.scrollTop;
}

log.addEventListener("scroll", () => {
  const isNear = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  // A list that lost some of its height is far from its end too, but nobody has scrolled it.
  isAtEnd = isNear || (isAtEnd && log.scrollTop >= lastTop);
  lastTop = log.scrollTop;
});
new ResizeObserver(keepAtEnd).observe(log);

// --- Saying something ---

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field("text").value.trim();
  if (text) say(text);
  field("text").value = "";
  field("text").focus();
});

/** @param {string} text */
async function say(text) {
  const item = document.createElement("li");
  item.textContent = text;
  const timer = setTimeout(() => element("waiting").append(item), WAIT_MS);
  const from = performance.now();
  const isUp = room.status.state === "connected";
  try {
    await room.send({ text });
    if (isUp) element("trip").textContent = `${Math.max(1, Math.round(performance.now() - from))} ms`;
    item.remove();
  } catch (error) {
    item.textContent = `Not sent (${/** @type {Error} */ (error).message}): ${text}`;
    item.className = "problem";
    element("waiting").append(item);
    while (element("waiting").childElementCount > SHOWN) element("waiting").firstElementChild?.remove();
  }
  clearTimeout(timer);
}

// --- Typing ---

/** @type {Map<string, number>} timer of each who types */
const typing = new Map();
let toldAt = -Infinity;

field("text").addEventListener("input", () => {
  if (!field("text").value || performance.now() - toldAt < TYPING_MS[0]) return;
  toldAt = performance.now();
  room.signal({ typing: true });
});

room.on("signal", ({ member, data }) => {
  if (!member || !data?.typing) return;
  clearTimeout(typing.get(member));
  typing.set(member, setTimeout(() => stopTyping(member), TYPING_MS[1]));
  showTyping();
});

/** @param {string} member */
function stopTyping(member) {
  clearTimeout(typing.get(member));
  if (typing.delete(member)) showTyping();
}

function showTyping() {
  const names = [...typing.keys()].map((id) => nameOf(id)).filter(Boolean);
  const who = names.length > 3 ? `${names.length} people` : listed(names);
  element("typing").textContent = names.length ? `${who} ${names.length > 1 ? "are" : "is"} typing …` : "";
}

/** @param {string} id */
const nameOf = (id) => room.members.find((member) => member.id === id)?.name ?? "";

// --- Who is here ---

room.on("members", showPeople);
room.on("count", showCount);
room.on("leave", ({ id }) => stopTyping(id));

/** @param {Member[]} members */
function showPeople(members) {
  const me = members.filter(({ id }) => id === room.id);
  element("people").replaceChildren(...[...me, ...members.filter(({ id }) => id !== room.id)].map(person));
  if (me.length && document.activeElement !== field("name")) field("name").value = me[0].name;
  showCount();
}

/** @param {Member} member */
function person({ id, name, connections, away }) {
  const item = document.createElement("li");
  const who = document.createElement("span");
  who.textContent = name;
  who.dir = "auto";
  colour(item, id);
  item.classList.toggle("away", away);
  const remarks = [id === room.id && "you", away && "away", connections > 1 && `${connections} tabs`].filter(Boolean);
  const small = document.createElement("small");
  small.textContent = remarks.join(", ");
  item.append(who, small);
  return item;
}

function showCount() {
  const { members } = room.count;
  const unnamed = members - room.members.length;
  element("here").textContent = members === 1 ? "1 person is here" : `${members.toLocaleString("en")} people are here`;
  element("unnamed").textContent = "So many are here that only their number is shown.";
  element("unnamed").hidden = unnamed <= 0 || room.members.length > 0;
  element("alone").hidden = members !== 1 || (room.me?.connections ?? 0) > 1;
}

/** @type {{join: string[], leave: string[]}} */
const moves = { join: [], leave: [] };
for (const type of /** @type {("join" | "leave")[]} */ (["join", "leave"])) {
  room.on(type, ({ id, name }) => {
    if (id === room.id || performance.now() < quietUntil) return;
    if (!moves.join.length && !moves.leave.length) setTimeout(tellMoves, GATHER_MS);
    moves[type].push(name);
  });
}

function tellMoves() {
  for (const [names, verb] of /** @type {[string[], string][]} */ ([[moves.join, "joined"], [moves.leave, "left"]])) {
    const others = names.length - 2;
    const who = others > 1 ? `${names.slice(0, 2).join(", ")} and ${others} others` : listed(names);
    if (names.length) note(`${who} ${verb}.`);
    names.length = 0;
  }
}

// --- My name ---

element("rename").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = field("name").value.trim();
  element("refused").textContent = "";
  if (!name || name === room.me?.name) return;
  remember(name);
  room.rename(name);
  field("text").focus();
});

room.on("error", ({ code, detail }) => {
  if (code !== "bad_name") return;
  element("refused").textContent = detail;
  remember("");
  field("name").value = room.me?.name ?? "";
});

/** The name of the last visit; a browser may keep nothing. */
function recall() {
  try {
    return localStorage.realtimeName;
  } catch {
    return "";
  }
}

/** @param {string} name */
function remember(name) {
  try {
    localStorage.realtimeName = name;
  } catch { /* then the server makes one up next time */ }
}

// --- Invitation ---

element("invite").addEventListener("submit", async (event) => {
  event.preventDefault();
  const address = field("address");
  address.select();
  // Pages on plain http have no navigator.clipboard.
  const isCopied = await (navigator.clipboard?.writeText(address.value).then(() => true, () => false) ?? document.execCommand("copy"));
  element("copy").textContent = isCopied ? "Copied" : "Copy it";
});

/** Folded on a phone, where the conversation needs the room. */
const wide = matchMedia("(min-width: 52rem)");
const unfold = () => { /** @type {HTMLDetailsElement} */ (element("more")).open = wide.matches; };
wide.addEventListener("change", unfold);
unfold();

// --- Small things ---

/** A hue for each member, from its id. @param {HTMLElement} node @param {string} id */
function colour(node, id) {
  node.style.setProperty("--hue", String(parseInt(id.slice(0, 6), 16) % 360 || 0));
  node.classList.add("hued");
}

/** @param {string[]} names */
const listed = (names) => [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");

/** @param {string} at */
function clock(at) {
  const time = new Date(at);
  return Number.isNaN(+time) ? "" : time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** @param {number} ms */
function seconds(ms) {
  return ms < 90_000 ? `${Math.max(1, Math.round(ms / 1000))} s` : `${Math.round(ms / 60_000)} min`;
}
