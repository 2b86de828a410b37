// A small line plot of one series over time, for the operator's page. One colour, so nobody needs
// to tell two apart; the numbers stand beside it as text.
// @ts-check

const SVG = "http://www.w3.org/2000/svg";
const SPAN = 600; // seconds from the left edge to the right
const [WIDTH, HEIGHT] = [300, 100];

export class Plot {
  /** @param {HTMLElement} parent @param {string} label @param {(value: number) => string} written with its unit @param {number} least the top of the scale at least */
  constructor(parent, label, written, least = 1) {
    this.written = written;
    this.least = least;
    const node = document.createElement("figure");
    node.className = "plot";
    const caption = document.createElement("figcaption");
    const name = child(caption, "span", "name");
    name.textContent = label;
    this.value = child(caption, "b", "now");
    this.highest = child(caption, "span", "highest");
    node.append(caption);
    const area = child(node, "div", "area");
    this.top = child(area, "span", "top");
    this.middle = child(area, "span", "middle");
    child(area, "span", "bottom").textContent = "0";
    this.line = drawing(area);
    const axis = child(node, "div", "axis");
    child(axis, "span", "").textContent = "10 min ago";
    child(axis, "span", "").textContent = "now";
    for (const each of [area, axis]) each.setAttribute("aria-hidden", "true");
    parent.append(node);
  }

  /** @param {(number | null)[]} values @param {number[]} ago seconds of each @param {number | null | undefined} latest */
  draw(values, ago, latest = values.at(-1)) {
    const known = values.filter((value) => value !== null);
    const most = Math.max(0, ...known);
    const top = ceiling(Math.max(most, latest ?? 0, this.least)); // before the first sample too
    write(this.value, latest == null ? "–" : this.written(latest));
    write(this.highest, known.length ? `highest ${this.written(most)}` : "");
    write(this.top, this.written(top));
    write(this.middle, this.written(top / 2));
    this.line.setAttribute("d", path(values, ago, top));
  }
}

/** A path with a gap where nothing is known. @param {(number | null)[]} values @param {number[]} ago @param {number} top */
export function path(values, ago, top) {
  let pen = "M";
  const parts = [];
  for (const [i, value] of values.entries()) {
    if (value === null || ago[i] > SPAN) {
      pen = "M";
      continue;
    }
    parts.push(`${pen}${(WIDTH * (1 - ago[i] / SPAN)).toFixed(1)},${(HEIGHT * (1 - value / top)).toFixed(1)}`);
    pen = "L";
  }
  return parts.join("");
}

/** The next of 1, 2, 5, 10, 20 … that is not below. @param {number} value */
export function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((step) => value <= step * power * (1 + 1e-9)) ?? 10);
}

/** @param {HTMLElement} area */
function drawing(area) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  for (const y of [0, HEIGHT / 2, HEIGHT]) {
    const grid = document.createElementNS(SVG, "path");
    grid.setAttribute("class", "grid");
    grid.setAttribute("d", `M0,${y}L${WIDTH},${y}`);
    svg.append(grid);
  }
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("class", "line");
  svg.append(line);
  area.append(svg);
  return line;
}

/** @param {HTMLElement} parent @param {string} tag @param {string} kind */
function child(parent, tag, kind) {
  const node = document.createElement(tag);
  node.className = kind;
  parent.append(node);
  return node;
}

/** @param {HTMLElement} node @param {string} text */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
