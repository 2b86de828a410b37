// The board of a room, for a screen on a wall: the latest data, large, for months.
// Each key of an object has a tile; a number, a text or a list is one of its own.
// @ts-check
import { isFinal, join } from "./realtime.js";
import { obey } from "./screen.js";

const VALUES = 60; // of a sparkline
const FEW = 5; // of them make no line yet
const TILES = 24; // the one that was silent longest gives way
const IDLE_MS = 3000; // until the pointer hides
const HOUR = 3_600_000; // ms
const NIGHT = 3; // the hour, by this machine's clock, in which a page that ran all day is loaded anew
const SVG = "http://www.w3.org/2000/svg";

/** @typedef {{label: string, value: any, values: number[], at: number, node: HTMLElement}} Tile at: performance.now(), NaN when unknown */

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const body = document.body;

/** @type {Map<string, Tile>} */
const tiles = new Map();
/** @type {Set<Tile>} those that changed since the last frame */
const changed = new Set();
let lostAt = performance.now(); // 0 while connected

const query = new URLSearchParams(location.search); // ?name=Hall shows who the screen is, ?join the QR code
const room = join(body.dataset.room ?? "", { history: VALUES, reload: true, name: query.get("name") ?? undefined });
obey(room);

room.on("message", ({ data, name, at, replayed }) => {
  const when = performance.now() - (replayed ? age(at) : 0);
  for (const [key, value] of parts(data, name)) take(key, value, when);
});

room.on("status", ({ state }) => {
  if (state === "connected") lostAt = 0;
  else lostAt ||= performance.now();
  body.classList.toggle("offline", Boolean(lostAt));
  tick();
});

/** The tiles of a message, by label: each key of an object, or who said it. @param {any} data @param {string} name @returns {[string, any][]} */
function parts(data, name) {
  if (data === null || typeof data !== "object" || Array.isArray(data)) return [[name || "now", data]];
  const entries = Object.entries(data);
  return entries.length === 1 && typeof data.text === "string" ? [[name || "now", data.text]] : entries;
}

/** How old a stored message is, by the clocks of two machines; NaN when they cannot both be right. @param {string} at */
function age(at) {
  const ms = Date.now() - Date.parse(at);
  return ms >= 0 && ms < HOUR ? ms : NaN;
}

/** @param {string} label @param {any} value @param {number} at */
function take(label, value, at) {
  const tile = tiles.get(label) ?? { label, value, values: [], at, node: document.createElement("section") };
  tiles.delete(label); // the newest is last
  tiles.set(label, tile);
  Object.assign(tile, { value, at });
  if (typeof value === "number") tile.values.push(value);
  else tile.values = [];
  if (tile.values.length > VALUES) tile.values.shift();
  if (!changed.size) requestAnimationFrame(draw);
  changed.add(tile);
  if (tiles.size > TILES) forget(/** @type {Tile} */ (tiles.values().next().value));
}

/** @param {Tile} tile */
function forget(tile) {
  tiles.delete(tile.label);
  changed.delete(tile);
  tile.node.remove();
}

// --- Drawing, at most once a frame ---

function draw() {
  for (const tile of changed) fill(tile);
  changed.clear();
  arrange();
  tick();
}

/** @param {Tile} tile */
function fill({ label, value, values, node }) {
  if (!node.firstChild) build(node, label);
  const text = written(value);
  const shown = /** @type {HTMLElement} */ (node.querySelector(".value"));
  shown.textContent = text;
  const [across, lines] = typeof value === "number" ? [text.length, 1] : wrapped(text);
  shown.style.setProperty("--across", String(Math.max(3, across)));
  shown.style.setProperty("--lines", String(lines));
  node.classList.toggle("number", values.length >= FEW);
  node.querySelector("polyline")?.setAttribute("points", points(values));
}

/** About how many characters a line has, and how many lines there are, when a text fills its tile. @param {string} text */
function wrapped(text) {
  const longest = Math.max(...text.split(/\s+/).map((word) => Math.min(word.length, 24)));
  const across = Math.max(longest, Math.min(text.length, Math.ceil(Math.sqrt(text.length * 4))));
  return [across, text.length > across ? Math.ceil(text.length / across) + 1 : 1];
}

/** @param {HTMLElement} node @param {string} label */
function build(node, label) {
  const heading = document.createElement("h2");
  heading.textContent = label;
  heading.dir = "auto";
  const value = document.createElement("p");
  value.className = "value";
  value.dir = "auto";
  const time = document.createElement("p");
  time.className = "age";
  node.className = "tile";
  node.append(heading, value, sparkline(), time);
  element("tiles").append(node);
}

function sparkline() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "polyline"));
  return svg;
}

/** @param {number[]} values */
function points(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const y = (/** @type {number} */ value) => (most > least ? 29 - (28 * (value - least)) / (most - least) : 15);
  const step = 100 / Math.max(1, values.length - 1); // as wide as the tile, however many there are
  return values.map((value, i) => `${(i * step).toFixed(2)},${y(value).toFixed(2)}`).join(" ");
}

/** @param {any} value */
function written(value) {
  if (typeof value === "number") return value.toLocaleString("en", { maximumFractionDigits: 2 }).replaceAll(",", "\u202f");
  if (typeof value === "boolean") return value ? "yes" : "no";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)} …` : text;
}

/** As many columns as make the tiles about twice as wide as high; the last tile fills its row. */
function arrange() {
  const { clientWidth, clientHeight, style } = element("tiles");
  const wanted = Math.round(Math.sqrt((tiles.size * clientWidth) / Math.max(1, clientHeight) / 1.8));
  const columns = Math.max(1, Math.min(wanted, tiles.size));
  const over = tiles.size % columns;
  style.setProperty("--columns", String(columns));
  style.setProperty("--last", String(over ? columns - over + 1 : 1));
  element("empty").hidden = tiles.size > 0;
}

// --- Time that passes ---

/** Once a second: ages, and how long we have been offline. */
function tick() {
  write(element("badge"), lostAt ? whyNot() : "Live");
  for (const { node, at } of tiles.values()) {
    const time = /** @type {HTMLElement | null} */ (node.querySelector(".age"));
    if (time) write(time, Number.isNaN(at) ? "" : span(performance.now() - at, "now", " ago"));
  }
}
setInterval(tick, 1000);

function whyNot() {
  const { code = 0, reason } = room.status;
  if (isFinal(code)) return `Refused: ${reason}`; // asked again about each minute
  return room.id ? `Offline for ${span(performance.now() - lostAt)}` : "Connecting …";
}

/** @param {HTMLElement} node @param {string} text */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** @param {number} ms */
function span(ms, now = "0 s", suffix = "") {
  const s = Math.floor(ms / 1000);
  if (s < 2) return now;
  if (s < 100) return `${s} s${suffix}`;
  return s < 6000 ? `${Math.floor(s / 60)} min${suffix}` : `${Math.floor(s / 3600)} h${suffix}`;
}

// --- The screen ---

new ResizeObserver(arrange).observe(element("tiles"));

// A browser that runs for months gathers what it never frees. Each screen has a minute of its own,
// so that not all come at once; and none goes into an error page, from which it would not return.
const minute = Math.floor(Math.random() * 60);
setInterval(async () => {
  const time = new Date();
  if (performance.now() < 12 * HOUR || time.getHours() !== NIGHT || time.getMinutes() < minute) return;
  const isThere = await fetch(location.href, { cache: "no-store" }).then(({ ok }) => ok, () => false);
  if (isThere) location.reload();
}, 60_000);

let idle = 0;
function stir() {
  body.classList.remove("idle");
  clearTimeout(idle);
  idle = setTimeout(() => body.classList.add("idle"), IDLE_MS);
}
for (const type of ["pointermove", "pointerdown", "keydown"]) addEventListener(type, stir);
stir();

element("full").hidden = !document.fullscreenEnabled;
element("full").addEventListener("click", fullScreen);
addEventListener("keydown", ({ key, ctrlKey, metaKey }) => {
  if (ctrlKey || metaKey) return;
  if (key.toLowerCase() === "f") fullScreen();
  if (key.toLowerCase() === "j") invite();
});

/** The QR code beside the data; an empty board always has it. */
function invite() {
  element("join").setAttribute("aria-pressed", String(body.classList.toggle("inviting")));
}
element("join").addEventListener("click", invite);
if (query.has("join")) invite();

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {});
}

/** A browser gives it back when the page is hidden, and on plain http there is none. */
function stayAwake() {
  if (!document.hidden) navigator.wakeLock?.request("screen").catch(() => {});
}
document.addEventListener("visibilitychange", stayAwake);
stayAwake();
