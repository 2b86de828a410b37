import { join } from "../realtime/realtime.js";

const $ = (id) => document.getElementById(id);
const bars = new Map();
// history: 1 is the latest message: it has all the jobs that run.
const room = join("progress", { url: "/ws/examples/progress/", history: 1 });

room.on("status", ({ state, reason }) => {
  $("light").classList.toggle("open", state === "connected");
  $("status").textContent = state === "connected" ? "Connected" : `Not connected: ${reason}`;
});

room.on("message", ({ member, data }) => {
  if (member !== null) return; // any visitor can send to this room: only the server's own counts
  for (const [number, percent] of Object.entries(data)) {
    const bar = bars.get(number) ?? build(number);
    bar.querySelector("progress").value = percent;
    bar.querySelector("b").textContent = percent < 100 ? `${percent} %` : "done";
  }
});

function build(number) {
  const bar = $("job").content.firstElementChild.cloneNode(true);
  bar.querySelector("span").textContent = `Job ${number}`;
  bars.set(number, bar);
  $("jobs").prepend(bar);
  if (bars.size > 20) $("jobs").lastElementChild.remove();
  return bar;
}

$("start").addEventListener("click", () => {
  $("problem").textContent = "";
  room.tell({ type: "start" });
});
room.on("error", ({ detail }) => ($("problem").textContent = detail));
