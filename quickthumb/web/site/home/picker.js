// The focal point and the crop, picked on a picture: the point by a click, by dragging or with the arrow keys, the crop
// by dragging a rectangle.

import { fill, h, svg } from "../core/dom.js";
import { cropOf, point, seen } from "./geometry.js";

const STEP = 0.02;
const tidy = (number) => String(Math.round(Math.min(1, Math.max(0, number)) * 100) / 100);

// `changed(name, value)` hears what is picked. Returns { element, show(urls, output) }: it shows the first of the pictures
// that the browser can show.
export function picker(changed) {
  const image = h("img", { alt: "", draggable: "false" });
  const shade = svg("path.shade", { "fill-rule": "evenodd" });
  const overlay = svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, shade);
  const handle = h("button.focal", { type: "button" });
  const stage = h("div.stage", {}, image, overlay, handle);
  const modes = ["Focal point", "Crop"].map((name, place) => h("button", { type: "button", "aria-pressed": "false", onclick: () => choose(place ? "crop" : "position") }, name));
  const clear = h("button.plain", { type: "button", onclick: () => changed(mode, undefined) }, "Clear");
  const say = h("p.hint");
  const element = h("div.picker", {}, stage, h("div.row", {}, modes, clear), say);
  let mode = "position";
  let output = {};
  let begin = null;
  let offered = [];
  const broken = new Set();

  const choose = (name) => { mode = name; draw(); };
  const size = () => ({ width: image.naturalWidth, height: image.naturalHeight });
  image.addEventListener("load", () => draw());
  image.addEventListener("error", () => {
    broken.add(image.getAttribute("src"));
    offer();
  });

  function offer() {
    const url = offered.find((one) => !broken.has(one));
    element.hidden = !url;
    if (url && image.getAttribute("src") !== url) image.src = url;
    draw();
  }

  function draw() {
    const { width, height } = size();
    handle.hidden = !width;
    modes.forEach((button, place) => button.setAttribute("aria-pressed", String((mode === "crop") === Boolean(place))));
    if (!width) return;
    overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const part = seen(output, width, height) ?? cropOf(output, width, height);
    const at = point(output.position);
    const inner = cropOf(output, width, height);
    shade.setAttribute("d", `M0 0H${width}V${height}H0Z M${part.x} ${part.y}h${part.width}v${part.height}h${-part.width}Z`);
    handle.hidden = mode !== "position" || !at;
    handle.setAttribute("aria-label", at ? `Focal point: ${Math.round(at.x * 100)} % from the left, ${Math.round(at.y * 100)} % from the top. The arrow keys move it.` : "Focal point");
    if (at) {
      handle.style.left = `${((inner.x + at.x * inner.width) / width) * 100}%`;
      handle.style.top = `${((inner.y + at.y * inner.height) / height) * 100}%`;
    }
    stage.dataset.mode = mode;
    fill(say, words());
  }

  function words() {
    const isTurned = output.rotate || output.flip || output.flop;
    if (mode === "crop") return isTurned ? "The crop is taken after turning: enter its numbers under Crop." : "Drag over the part to cut out. Its numbers are under Crop, too.";
    if (output.fit === "cover" || output.fit === "contain") return "Click what matters: a result keeps it in view, whatever its shape.";
    return "A focal point counts with the fit cover, and a width and a height.";
  }

  function place(event) {
    const box = stage.getBoundingClientRect();
    return { x: Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)), y: Math.min(1, Math.max(0, (event.clientY - box.top) / box.height)) };
  }

  function pick(at) {
    const { width, height } = size();
    if (mode === "position") {
      const inner = cropOf(output, width, height);
      return changed("position", `${tidy((at.x * width - inner.x) / inner.width)},${tidy((at.y * height - inner.y) / inner.height)}`);
    }
    if (output.rotate || output.flip || output.flop) return;
    const left = Math.floor(Math.min(at.x, begin.x) * width), top = Math.floor(Math.min(at.y, begin.y) * height);
    const wide = Math.round(Math.abs(at.x - begin.x) * width), high = Math.round(Math.abs(at.y - begin.y) * height);
    if (wide >= 8 && high >= 8) changed("crop", [left, top, Math.min(wide, width - left), Math.min(high, height - top)].join(","));
  }

  stage.addEventListener("pointerdown", (event) => {
    if (event.button || !size().width) return;
    event.preventDefault();
    handle.focus();
    begin = place(event);
    stage.setPointerCapture(event.pointerId);
    if (mode === "position") pick(begin);
  });
  stage.addEventListener("pointermove", (event) => begin && pick(place(event)));
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => (begin = null));
  handle.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    const at = point(output.position);
    if (!(event.key in moves) || !at) return;
    event.preventDefault();
    const [right, down] = moves[event.key];
    changed("position", `${tidy(at.x + right)},${tidy(at.y + down)}`);
  });

  return {
    element,
    show(urls, shown) {
      output = shown;
      offered = urls;
      offer();
    },
  };
}
