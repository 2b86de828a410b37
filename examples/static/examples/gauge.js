import { join } from "../realtime/realtime.js";

const RANGES = { temperature: [10, 30, " °C"], humidity: [0, 100, " %"] };
const $ = (id) => document.getElementById(id);
// history: 1 is the latest value; reload: a screen on a wall takes up a new build by itself.
const room = join("gauge", { url: "/ws/examples/gauge/", history: 1, reload: true });

room.on("status", ({ state, reason }) => {
  $("light").classList.toggle("open", state === "connected");
  $("status").textContent = state === "connected" ? "Live" : `Not connected: ${reason}`;
  $("gauges").classList.toggle("stale", state !== "connected"); // nobody takes it for live
});

room.on("message", ({ member, data }) => {
  if (member !== null) return; // a visitor may send to this room, but only the server's counts
  for (const [name, value] of Object.entries(data)) show(name, value, RANGES[name] ?? [0, 100, ""]);
});

function show(name, value, [least, most, unit]) {
  const gauge = $(`gauge-${name}`) ?? build(name, least, most);
  const text = value.toFixed(1) + unit;
  gauge.querySelector(".value").textContent = text;
  gauge.querySelector(".arc").style.strokeDasharray = `${(100 * (value - least)) / (most - least)} 200`;
  gauge.setAttribute("aria-valuenow", value.toFixed(1));
  gauge.setAttribute("aria-valuetext", text);
}

function build(name, least, most) {
  const gauge = $("gauge").content.firstElementChild.cloneNode(true);
  gauge.id = `gauge-${name}`;
  gauge.querySelector("h2").textContent = name;
  gauge.setAttribute("aria-label", name);
  gauge.setAttribute("aria-valuemin", least);
  gauge.setAttribute("aria-valuemax", most);
  return $("gauges").appendChild(gauge);
}
