import { join } from "../realtime/realtime.js";

const INTERVAL = 80; // ms between two steps: the server takes 20 messages a second for long
const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
const $ = (id) => document.getElementById(id);
const room = join("toy", { url: "/ws/examples/toy/main/" });
let [star, steppedAt] = [[0, 0], 0];

room.on("status", ({ state, reason }) => {
  $("light").classList.toggle("open", state === "connected");
  $("status").textContent = state === "connected" ? "Connected" : `Not connected: ${reason}`;
});
room.on("welcome", () => room.tell({ type: "look" }));
room.on("star", ({ at }) => draw((star = at)));
room.on("message", ({ name, data }) => draw((star = data), ($("news").textContent = `${name} caught it.`)));
room.on("members", draw);

function draw() {
  const players = room.members.filter(({ state }) => "x" in state);
  const list = players.map(({ id, name, state }) => mark("li", `${name}: ${state.stars}`, 0, 0, id));
  const marks = players.map(({ id, name, state }) => mark("span", name[0], state.x, state.y, id));
  $("people").replaceChildren(...list);
  $("field").replaceChildren(mark("b", "★", ...star), ...marks);
}

function mark(tag, text, x, y, id = "") {
  const node = Object.assign(document.createElement(tag), { textContent: text, className: "hued" });
  const style = { "--x": x, "--y": y, "--hue": parseInt(id.slice(0, 6), 16) % 360 || 50 };
  for (const [key, value] of Object.entries(style)) node.style.setProperty(key, value);
  node.classList.toggle("me", id === room.id);
  return node;
}

function step(to) {
  if (!to || performance.now() - steppedAt < INTERVAL) return;
  steppedAt = performance.now();
  room.tell({ type: "step", to });
}
addEventListener("keydown", ({ key }) => step(KEYS[key]));
addEventListener("click", ({ target }) => step(target.dataset.to));
