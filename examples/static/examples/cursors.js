import { join } from "../realtime/realtime.js";

const INTERVAL = 60; // ms between two signals: the server takes 20 a second for long
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const $ = (id) => document.getElementById(id);
const room = join("cursors");
let [mine, timer] = [[0.5, 0.5], 0];

room.on("status", ({ state, reason }) => {
  $("light").classList.toggle("open", state === "connected");
  $("status").textContent = state === "connected" ? "Connected" : `Not connected: ${reason}`;
});
room.on("count", ({ members }) => ($("count").textContent = `Here: ${members}`));
room.on("signal", ({ member, data }) => Array.isArray(data) && show(member, data));
room.on("leave", ({ id }) => $(id)?.remove());
room.on("update", ({ id, away }) => away && $(id)?.remove()); // who lost the network points nowhere

function show(id, [x, y]) {
  const member = room.members.find((each) => each.id === id);
  if (!member) return;
  const cursor = $(id) ?? $("field").appendChild(document.createElement("span"));
  Object.assign(cursor, { id, textContent: member.name, className: "cursor hued" });
  const style = { "--hue": parseInt(id.slice(0, 6), 16) % 360, "--x": x, "--y": y };
  for (const [key, value] of Object.entries(style)) cursor.style.setProperty(key, value);
}

function move(...to) {
  mine = to.map((part) => Math.min(1, Math.max(0, part)));
  show(room.id, mine);
  timer ||= setTimeout(() => { timer = 0; room.signal(mine); }, INTERVAL); // the latest, then
}
$("field").addEventListener("pointermove", ({ clientX, clientY }) => {
  const { left, top, width, height } = $("field").getBoundingClientRect();
  move((clientX - left) / width, (clientY - top) / height);
});
$("field").addEventListener("keydown", ({ key }) => {
  if (STEPS[key]) move(mine[0] + STEPS[key][0] / 25, mine[1] + STEPS[key][1] / 25);
});
