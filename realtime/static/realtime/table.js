// Tables that live: rows are kept by key, so that what somebody reads or presses stays where it is.
// And buttons for what cannot be undone, which want to be pressed twice.
// @ts-check

const ARMED_MS = 5000;
const TOO_FAST_MS = 400; // a double click is no second thought

/** @param {string} id */
export const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Only when it differs: nothing is announced, selected or laid out anew for nothing. @param {Element | null} node @param {string} text */
export function write(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

/** Make `body` have one child for each item, in order.
 * @param {HTMLElement} body @param {any[]} items @param {(item: any) => string} key
 * @param {(item: any) => HTMLElement} make @param {(node: HTMLElement, item: any) => void} fill */
export function keep(body, items, key, make, fill) {
  const focused = document.activeElement;
  const old = new Map([...body.children].map((node) => [/** @type {HTMLElement} */ (node).dataset.key, node]));
  let place = body.firstElementChild;
  for (const item of items) {
    const name = key(item);
    let node = /** @type {HTMLElement | undefined} */ (old.get(name));
    old.delete(name);
    if (!node) {
      node = make(item);
      node.dataset.key = name;
    }
    fill(node, item);
    if (node === place) place = place.nextElementSibling;
    else body.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
  if (focused !== document.activeElement && focused?.isConnected) /** @type {HTMLElement} */ (focused).focus();
}

/** A row of cells with these classes. @param {string[]} kinds @param {HTMLElement[]} [buttons] into the last */
export function row(kinds, buttons = []) {
  const node = document.createElement("tr");
  for (const kind of kinds) {
    const cell = document.createElement("td");
    cell.className = kind;
    if (kind.includes("text")) cell.dir = "auto";
    node.append(cell);
  }
  node.lastElementChild?.append(...buttons);
  return node;
}

/** @param {HTMLElement} node @param {string} kind @param {string} text */
export const fill = (node, kind, text) => write(node.querySelector(`.${kind}`), text);

/** @param {string} text @param {() => void} pressed */
export function button(text, pressed) {
  const node = document.createElement("button");
  node.type = "button";
  node.className = "button plain small";
  node.textContent = text;
  node.addEventListener("click", pressed);
  return node;
}

/** The second press within some seconds does it. @param {HTMLElement} node @param {() => void} pressed @param {string} question */
export function twice(node, pressed, question = "Sure?") {
  const text = node.textContent ?? "";
  let [at, timer] = [0, 0];
  const disarm = () => {
    clearTimeout(timer);
    at = 0;
    node.classList.remove("armed");
    write(node, text);
  };
  node.addEventListener("click", () => {
    if (at && performance.now() - at < TOO_FAST_MS) return;
    if (at) {
      disarm();
      return pressed();
    }
    at = performance.now();
    node.classList.add("armed");
    write(node, question);
    timer = setTimeout(disarm, ARMED_MS);
  });
  node.addEventListener("blur", disarm);
  return node;
}
