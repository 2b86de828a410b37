import { join } from "../realtime/realtime.js";

const $ = (id) => document.getElementById(id);
const room = join("notifications", { url: "/ws/notifications/", history: 20 });

room.on("status", ({ state, reason }) => {
  $("light").classList.toggle("open", state === "connected");
  $("status").textContent = state === "connected" ? "Connected" : `Not connected: ${reason}`;
});

room.on("message", ({ data, at }) => {
  const [item, text, time] = ["li", "span", "time"].map((name) => document.createElement(name));
  text.textContent = data.text; // never as HTML
  time.textContent = new Date(at).toLocaleTimeString();
  item.append(text, time);
  $("notes").prepend(item);
  if ($("notes").childElementCount > 20) $("notes").lastElementChild.remove();
  $("none").hidden = true;
});
