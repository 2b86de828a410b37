// Searches window.searchIndex, which index.js holds: a page that was opened as a file may fetch nothing.
const up = document.currentScript.dataset.up;
const MOST = 20;
const [field, list, found] = ["search", "results", "found"].map((id) => document.getElementById(id));

/** Better the more of the words stand in the title; -1 where one is missing. */
function score({ title, text }, words) {
  const [head, body] = [title.toLowerCase(), text.toLowerCase()];
  let sum = 0;
  for (const word of words) {
    if (!head.includes(word) && !body.includes(word)) return -1;
    sum += (head.includes(word) ? 10 : 0) + Math.min(5, body.split(word).length - 1);
  }
  return sum;
}

/** The words around the first that was searched. */
function excerpt(text, words) {
  const places = words.map((word) => text.toLowerCase().indexOf(word)).filter((place) => place >= 0);
  const start = Math.max(0, Math.min(...places) - 60);
  return (start ? "… " : "") + text.slice(start, start + 180) + " …";
}

function entry({ at, title, text }, words) {
  const [item, link, words_] = ["li", "a", "p"].map((name) => document.createElement(name));
  link.href = up + at;
  link.textContent = title;
  words_.textContent = excerpt(text, words);
  item.append(link, words_);
  return item;
}

function search() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = words.length
    ? window.searchIndex.map((each) => [score(each, words), each]).filter(([points]) => points >= 0)
    : [];
  hits.sort(([a], [b]) => b - a);
  list.replaceChildren(...hits.slice(0, MOST).map(([, each]) => entry(each, words)));
  list.hidden = found.hidden = !words.length;
  found.textContent = hits.length ? `${hits.length} found` : "Nothing found";
}

field.addEventListener("input", search);
field.form.addEventListener("submit", (event) => {
  event.preventDefault();
  list.querySelector("a")?.click();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") [field.value, list.hidden, found.hidden] = ["", true, true];
  if (event.key === "/" && document.activeElement !== field) {
    event.preventDefault();
    field.focus();
  }
});
