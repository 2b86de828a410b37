// Keeps a page's addresses of this machine as they are: the network may deal another at any time.
// What has `data-fresh` is replaced when that differs in the page as the server has it now.
// @ts-check

const EVERY_MS = 10_000;

async function refresh() {
  if (document.hidden) return;
  const text = await fetch(location.href, { cache: "no-store" }).then((answer) => (answer.ok ? answer.text() : ""), () => "");
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const old of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-fresh]"))) {
    const now = page.getElementById(old.id);
    if (now && now.dataset.fresh !== old.dataset.fresh) old.replaceWith(document.adoptNode(now));
  }
}

setInterval(refresh, EVERY_MS);
for (const type of ["online", "focus", "pageshow"]) addEventListener(type, refresh);
document.addEventListener("visibilitychange", refresh);

export {}; // a module, as the others are
