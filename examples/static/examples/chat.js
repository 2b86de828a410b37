import { join } from "../realtime/realtime.js";

const $ = (id) => document.getElementById(id);
const room = join("chat", { history: 50 });

room.on("status", ({ state, reason }) => {
  $("light").classList.toggle("open", state === "connected");
  $("status").textContent = state === "connected" ? "Connected" : `Not connected: ${reason}`;
});

room.on("members", (members) => {
  $("people").replaceChildren(...members.map(({ id, name, away }) => {
    const item = document.createElement("li");
    item.textContent = name + (id === room.id ? " (you)" : away ? " (away)" : "");
    item.className = "hued";
    item.style.setProperty("--hue", parseInt(id.slice(0, 6), 16) % 360);
    return item;
  }));
});

room.on("message", ({ name, data }) => {
  const line = document.createElement("p");
  line.textContent = `${name || "Server"}: ${data?.text ?? JSON.stringify(data)}`; // never as HTML
  $("lines").append(line);
  if ($("lines").childElementCount > 50) $("lines").firstElementChild.remove();
  $("lines").scrollTop = $("lines").scrollHeight;
});

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text) room.send({ text }).catch((error) => ($("problem").textContent = `Not sent: ${error.message}`));
  $("text").value = "";
});

$("rename").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("name").value.trim()) room.rename($("name").value);
});
room.on("error", ({ detail }) => ($("problem").textContent = detail));
