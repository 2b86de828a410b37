import { join } from "../realtime/realtime.js";

const $ = (id) => document.getElementById(id);
const buttons = new Map();
const room = join("poll", { url: "/ws/examples/poll/main/" });

room.on("status", ({ state, reason }) => {
  $("light").classList.toggle("open", state === "connected");
  $("status").textContent = state === "connected" ? "Connected" : `Not connected: ${reason}`;
});

room.on("welcome", () => room.tell({ type: "look" })); // also after a reload or a lost network
room.on("result", ({ counts, mine }) => {
  show(counts);
  for (const [choice, button] of buttons) button.setAttribute("aria-pressed", choice === mine);
});
room.on("message", ({ member, data }) => {
  show(data);
  if (member === room.id) room.tell({ type: "look" }); // I voted, perhaps in another tab
});
room.on("error", ({ detail }) => ($("problem").textContent = detail));

function show(counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  for (const [choice, count] of Object.entries(counts)) {
    const button = buttons.get(choice) ?? build(choice);
    button.querySelector("b").textContent = count;
    button.querySelector("progress").value = total && count / total;
  }
  $("total").textContent = total === 1 ? "1 vote" : `${total} votes`;
}

function build(choice) {
  const button = $("choice").content.firstElementChild.cloneNode(true);
  button.querySelector("span").textContent = choice;
  button.addEventListener("click", () => room.tell({ type: "vote", choice }));
  buttons.set(choice, button);
  $("choices").append(button);
  return button;
}
