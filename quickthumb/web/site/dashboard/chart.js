// A small chart over time: one or two lines, a crosshair with the values, and a table of the same for who cannot see it.

import { fill, h, svg } from "../core/dom.js";
import { moment } from "../core/format.js";

const HEIGHT = 132, LEFT = 52, RIGHT = 8, TOP = 8, BOTTOM = 20;

// A chart with a title. `series` are { key, name, tone } with the name of the value in a point; `format` writes a value;
// the scale reaches `least` at least. `chart.show(points, { from, to, slotSeconds })` draws points { at, seconds, … },
// between two moments in milliseconds.
export function chart({ title, series, format, least = 0 }) {
  const picture = svg("svg", { role: "img", tabindex: 0, height: HEIGHT });
  const legend = h("div.legend", {}, series.map(({ name, tone }) => h("span", { "data-tone": tone }, name, h("output"))));
  const table = h("tbody");
  const heads = ["Time", ...series.map(({ name }) => name)].map((name) => h("th", { scope: "col" }, name));
  const element = h("figure.chart", {}, h("figcaption", {}, h("h3", {}, title), legend), picture,
    h("details", {}, h("summary", {}, "As a table"), h("div.table-place", { tabindex: 0, role: "region", "aria-label": title }, h("table", {}, h("thead", {}, h("tr", {}, heads)), table))));
  const state = { title, series, format, least, picture, legend, table, points: [], picked: null };
  listen(state);
  new ResizeObserver(() => draw(state)).observe(picture);
  return Object.assign(element, { show: (points, frame) => {
    Object.assign(state, { points, frame, picked: null });
    draw(state);
    fill(table, points.toReversed().map((point) => h("tr", {}, h("th", { scope: "row" }, moment(point.at)), series.map(({ key }) => h("td", {}, told(state, point, key))))));
  } });
}

const told = ({ format }, point, key) => (point[key] === null || point[key] === undefined ? "–" : format(point[key]));

function draw(state) {
  const { picture, points, series, frame, title } = state;
  const width = picture.clientWidth;
  if (!frame || !width) return;
  const values = points.flatMap((point) => series.map(({ key }) => point[key] ?? 0));
  const top = ceiling(Math.max(...values, state.least));
  const x = (at) => LEFT + ((new Date(at) - frame.from) / (frame.to - frame.from)) * (width - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  Object.assign(state, { x, y, width });
  picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  picture.setAttribute("aria-label", summary(state, title));
  fill(picture, grid(state, top, y), times(state, x), series.toReversed().map((one, place) => line(state, one, x, y, place === series.length - 1)), svg("g.cross"));
  showPicked(state);
}

// A round number that is not less than the largest value, so that the labels are round as well.
function ceiling(largest) {
  if (largest <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(largest));
  return [1, 2, 5, 10].find((step) => step * power >= largest) * power;
}

function grid({ format, width }, top, y) {
  return [0, top / 2, top].map((value) => [svg("line.rule", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, format(value))]);
}

function times({ frame, width }, x) {
  const many = width > 420 ? 4 : 2;
  const isLong = frame.to - frame.from > 2 * 86400e3;
  const written = new Intl.DateTimeFormat(navigator.languages, isLong ? { weekday: "short", day: "numeric" } : { hour: "numeric", minute: "2-digit" });
  return Array.from({ length: many + 1 }, (_, place) => {
    const at = frame.from + (place / many) * (frame.to - frame.from);
    return svg("text", { x: x(at), y: HEIGHT - 4, "text-anchor": place === 0 ? "start" : place === many ? "end" : "middle" }, written.format(at));
  });
}

// One line for each run of points between gaps; the first series has its area filled. A point alone is a dot.
function line({ points, frame }, { key, tone }, x, y, isFilled) {
  return svg("g", { "data-tone": tone }, runs(points, key, frame.slotSeconds).map((run) => {
    const path = run.map((point, place) => `${place ? "L" : "M"}${x(point.at).toFixed(1)} ${y(point[key]).toFixed(1)}`).join("");
    if (run.length === 1) return svg("circle", { cx: x(run[0].at), cy: y(run[0][key]), r: 2 });
    const area = isFilled && svg("path.area", { d: `${path}L${x(run.at(-1).at).toFixed(1)} ${y(0)}L${x(run[0].at).toFixed(1)} ${y(0)}Z` });
    return [area || [], svg("path.line", { d: path })];
  }));
}

// The points without gaps between them: where a value is unknown, or nobody took notes for more than two slots.
function runs(points, key, slotSeconds) {
  const all = [];
  let run = null, before = null;
  for (const point of points) {
    const isFar = before && new Date(point.at) - before > 2500 * slotSeconds;
    if (point[key] === null || point[key] === undefined) run = null;
    else if (run && !isFar) run.push(point);
    else all.push((run = [point]));
    before = new Date(point.at);
  }
  return all;
}

function summary({ points, series, format }, title) {
  const parts = series.map(({ key, name }) => {
    const values = points.map((point) => point[key]).filter((value) => value !== null && value !== undefined);
    if (!values.length) return `${name}: nothing known`;
    return `${name}: now ${format(values.at(-1))}, at most ${format(Math.max(...values))}`;
  });
  return `${title}. ${parts.join("; ")}`;
}

// The crosshair follows the pointer, or the arrow keys.
function listen(state) {
  const { picture } = state;
  const pick = (place) => {
    state.picked = place;
    showPicked(state);
  };
  picture.addEventListener("pointermove", ({ offsetX }) => state.x && pick(nearest(state, offsetX)));
  picture.addEventListener("pointerleave", () => pick(null));
  picture.addEventListener("blur", () => pick(null));
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !state.points.length) return;
    event.preventDefault();
    const last = state.points.length - 1;
    pick(Math.min(last, Math.max(0, (state.picked ?? last + (step < 0 ? 1 : 0)) + step)));
  });
}

function nearest({ points, x }, place) {
  let best = null;
  points.forEach((point, number) => {
    if (best === null || Math.abs(x(point.at) - place) < Math.abs(x(points[best].at) - place)) best = number;
  });
  return best;
}

function showPicked(state) {
  const { picture, points, series, picked, x, y, legend } = state;
  const point = points[picked ?? points.length - 1];
  series.forEach(({ key }, place) => (legend.children[place].querySelector("output").textContent = point ? told(state, point, key) : "–"));
  const cross = picture.querySelector(".cross");
  if (!cross) return;
  if (picked === null) return fill(cross);
  const dots = series.filter(({ key }) => typeof point[key] === "number").map(({ key, tone }) => svg("circle", { cx: x(point.at), cy: y(point[key]), r: 3, "data-tone": tone }));
  const isRight = x(point.at) > state.width / 2;
  fill(cross, svg("line", { x1: x(point.at), x2: x(point.at), y1: TOP, y2: HEIGHT - BOTTOM }), dots,
    svg("text", { x: x(point.at) + (isRight ? -8 : 8), y: TOP + 10, "text-anchor": isRight ? "end" : "start" }, new Date(point.at).toLocaleString(navigator.languages, { weekday: "short", hour: "numeric", minute: "2-digit" })));
}
