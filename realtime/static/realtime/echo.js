// The echo page: sends what is typed, shows what comes back and how long it took.
// @ts-check

const SHOWN = 50; // echoes kept in the page and in the median
const RETRY_MS = [500, 10_000]; // first and longest wait before the next try to connect

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const form = /** @type {HTMLFormElement} */ (element("form"));
const input = /** @type {HTMLInputElement} */ (element("text"));
const button = /** @type {HTMLButtonElement} */ (element("send"));

/** @type {WebSocket | undefined} */
let socket;
/** @type {number[]} times at which the messages on their way were sent, oldest first */
let sent = [];
/** @type {number[]} */
const trips = [];
let tries = 0;
let count = 0;

function connect() {
  const current = new WebSocket(new URL("/ws/echo/", location.href.replace(/^http/, "ws")));
  socket = current;
  sent = [];
  current.onopen = () => { tries = 0; show("open", "Connected"); };
  current.onmessage = ({ data }) => { if (socket === current) echoed(data); };
  current.onclose = ({ code, reason }) => { if (socket === current) ended(code, reason); };
}

/** @param {number} code @param {string} reason */
function ended(code, reason) {
  const why = reason ? `: ${reason}` : ` (${code})`;
  if (code >= 4400 && code < 4500) {
    show("closed", `Closed for good${why}`);
    return;
  }
  const wait = Math.random() * Math.min(RETRY_MS[1], RETRY_MS[0] * 2 ** ++tries);
  show("closed", `Not connected${why}. Trying again …`);
  setTimeout(connect, RETRY_MS[0] + wait);
}

/** @param {string} text */
function echoed(text) {
  const trip = performance.now() - (sent.shift() ?? performance.now());
  trips.push(trip);
  if (trips.length > SHOWN) trips.shift();
  const sorted = [...trips].sort((a, b) => a - b);
  element("last").textContent = milliseconds(trip);
  element("median").textContent = milliseconds(sorted[sorted.length >> 1]);
  element("count").textContent = String(++count);
  list(text, trip);
}

/** @param {string} text @param {number} trip */
function list(text, trip) {
  const line = document.createElement("li");
  const words = document.createElement("span");
  const time = document.createElement("time");
  words.textContent = text || "(empty)";
  time.textContent = milliseconds(trip);
  line.append(words, time);
  const log = element("log");
  log.prepend(line);
  if (log.childElementCount > SHOWN) log.lastElementChild?.remove();
}

/** @param {number} value */
function milliseconds(value) {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

/** @param {string} state @param {string} words */
function show(state, words) {
  element("light").className = `light ${state}`;
  element("status").textContent = words;
  button.disabled = state !== "open";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN) return; // the text stays where it is
  sent.push(performance.now());
  socket.send(input.value);
  input.value = "";
  input.focus();
});

connect();
