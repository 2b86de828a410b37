// What the operator may ask of a screen on a wall: say who you are, show words, load again.
// Only signals from the server count; no member can send one.
// @ts-check

const FLASH_MS = 8000;
const LONGEST = 500; // characters
const RELOAD_MS = 3000; // at most: all screens of a house are told at once

/** @type {HTMLElement | undefined} what covers the page, one at a time */
let cover;
let timer = 0;
let isReloading = false;

/** Shows in the roster that this is a screen, and does what it is told. @param {any} room */
export function obey(room) {
  room.setState({ screen: true, size: `${screen.width} × ${screen.height}` });
  room.on("signal", ({ member, data }) => {
    if (member !== null || data === null || typeof data !== "object") return;
    if (data.screen === "identify") put("cover flash", data.name || (room.me?.name ?? room.options.name ?? room.id), FLASH_MS);
    if (data.screen === "message" && typeof data.text === "string") show(data.text.slice(0, LONGEST), Number(data.seconds) || 0);
    if (data.screen === "reload") reload();
  });
}

/** @param {string} text empty: take away what is there @param {number} seconds 0: until it is dismissed */
function show(text, seconds) {
  if (!text.trim()) return dismiss();
  const node = put("cover", text, seconds * 1000);
  const button = document.createElement("button");
  button.className = "button plain";
  button.textContent = "Dismiss";
  button.addEventListener("click", dismiss);
  node.append(button);
}

/** @param {string} kind @param {string} text @param {number} ms 0: for ever */
function put(kind, text, ms) {
  dismiss();
  const words = document.createElement("p");
  words.textContent = text;
  words.dir = "auto";
  const [across, lines] = wrapped(text);
  words.style.setProperty("--across", String(across));
  words.style.setProperty("--lines", String(lines));
  cover = document.createElement("div");
  cover.className = kind;
  cover.setAttribute("role", "alert");
  cover.append(words);
  document.body.append(cover);
  if (ms) timer = setTimeout(dismiss, Math.min(ms, 2 ** 31 - 1));
  return cover;
}

function dismiss() {
  clearTimeout(timer);
  cover?.remove();
  cover = undefined;
}

/** About how many characters a line has, and how many lines there are, when the text fills the screen. @param {string} text */
function wrapped(text) {
  const longest = Math.max(...text.split(/\s+/).map((word) => Math.min(word.length, 24)));
  // A line is about twice as high as a letter is wide.
  const square = Math.ceil(Math.sqrt((text.length * 2 * innerWidth) / innerHeight));
  const across = Math.max(4, longest, Math.min(text.length, square));
  return [across, text.length > across ? Math.ceil(text.length / across) + 1 : 1];
}

/** Only while the server answers: a page that it cannot load ends a Firefox kiosk. */
async function reload() {
  if (isReloading) return;
  isReloading = true;
  do await new Promise((done) => setTimeout(done, Math.random() * RELOAD_MS));
  while (!(await fetch(location.href, { cache: "no-store" }).then(({ ok }) => ok, () => false)));
  location.reload();
}

addEventListener("keydown", ({ key }) => {
  if (key === "Escape") dismiss();
});
