import { join } from "../realtime/realtime.js";

const $ = (id) => document.getElementById(id);
const room = join("buzzer", { url: "/ws/examples/buzzer/main/" });

room.on("status", ({ state, reason }) => {
  $("light").classList.toggle("open", state === "connected");
  $("status").textContent = state === "connected" ? "Connected" : `Not connected: ${reason}`;
});

room.on("welcome", () => room.tell({ type: "look" })); // also after a reload or a lost network
room.on("round", ({ order }) => show(order));
room.on("message", ({ data }) => show(data));

function show(order) {
  $("order").replaceChildren(...order.map((name) => {
    const item = document.createElement("li");
    item.textContent = name;
    return item;
  }));
  $("hint").hidden = order.length > 0;
  $("problem").textContent = "";
}

room.on("members", ([host]) => {
  $("me").textContent = room.me?.name ?? "one of many";
  $("reset").hidden = host?.id !== room.id; // the server asks again
});

$("buzz").addEventListener("click", () => room.tell({ type: "buzz" }));
$("reset").addEventListener("click", () => room.tell({ type: "reset" }));
$("rename").addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("name").value.trim()) room.rename($("name").value);
  $("buzz").focus();
});
room.on("error", ({ detail }) => ($("problem").textContent = detail));
