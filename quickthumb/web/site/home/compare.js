// A result beside its source: a slider over both, at the size of the window or at 100 %, and the receipt.

import { base, call, Problem } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { fileName, sourceUrl } from "./download.js";
import { seen } from "./geometry.js";
import { receipt } from "./receipt.js";

// Opens on the result `name` of an item. `outputOf(item, name)` gives the parameters that made it, or null.
export function compare(item, name, outputOf) {
  const names = Object.keys(item.job.results);
  const view = h("div.view");
  const side = h("div.side");
  const note = h("p.view-note.muted.small", { role: "status" });
  const title = h("h2", { id: "compare-title" });
  const zoom = h("button", { type: "button", "aria-pressed": "false", onclick: () => setZoom(zoom.getAttribute("aria-pressed") !== "true") }, "100 %");
  const download = h("a.button", {}, "Download");
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const choice = h("select", { "aria-label": "Result", onchange: () => show(choice.value) }, names.map((one) => h("option", { value: one }, one)));
  const dialog = h("dialog.compare", { "aria-labelledby": "compare-title", onclose: () => dialog.remove() },
    h("div.compare-head", {}, title, h("div.row", {}, names.length > 1 && choice, zoom, download, close)),
    h("div.compare-body", {}, h("div.view-side", {}, view, note), side));

  function setZoom(isFull) {
    zoom.setAttribute("aria-pressed", String(isFull));
    view.classList.toggle("full", isFull);
    // Scrolls to the middle, where the slider is.
    if (isFull) view.scrollTo((view.scrollWidth - view.clientWidth) / 2, (view.scrollHeight - view.clientHeight) / 2);
  }

  function show(one) {
    const result = item.job.results[one];
    choice.value = one;
    title.textContent = `${item.name}: ${one}`;
    download.href = result.url;
    download.download = fileName(item, one, result);
    fill(side, receipt(result, item.job));
    note.textContent = "";
    fill(view, slider(item, result, outputOf(item, one), (said) => (note.textContent = said)));
    setZoom(false);
  }

  show(name);
  document.body.append(dialog);
  dialog.showModal();
}

function slider(item, result, output, say) {
  const after = h("img.after", { src: result.url, alt: "The result", draggable: "false" });
  const before = h("img.before", { alt: "The source", draggable: "false" });
  const range = h("input.divide", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Divide between source and result", "aria-valuetext": "50 % source" });
  const line = h("span.divider", { "aria-hidden": "true" });
  const clip = h("div.clip", {}, before);
  const frame = h("div.compare-frame.picture", {}, after, clip, line, range, h("span.tag.left", {}, "Source"), h("span.tag.right", {}, "Result"));
  frame.style.setProperty("--width", `${result.width}`);
  frame.style.setProperty("--height", `${result.height}`);
  frame.style.setProperty("--ratio", `${window.devicePixelRatio || 1}`);
  const divide = () => {
    frame.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % source`);
  };
  range.addEventListener("input", divide);
  divide();
  place(before, item, result, output, (said) => {
    frame.classList.toggle("alone", !said.isShown);
    say(said.words);
  });
  return frame;
}

// Shows the source in the frame so that both pictures lie upon each other, if it can be shown.
function place(image, item, result, output, told) {
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    const part = output ? seen(output, width, height) : alike(width, height, result) ? { x: 0, y: 0, width, height } : null;
    if (!part) {
      image.classList.add("whole");
      return told({ isShown: true, words: "The result is turned or cropped in a way that the page cannot follow, so the two do not lie upon each other." });
    }
    const isStretched = Math.abs((part.width / part.height) / (result.width / result.height) - 1) > 0.05;
    Object.assign(image.style, {
      left: `${(-part.x / part.width) * 100}%`, top: `${(-part.y / part.height) * 100}%`,
      width: `${(width / part.width) * 100}%`, height: `${(height / part.height) * 100}%`,
    });
    told({ isShown: true, words: isStretched ? "The result is stretched, and so is the source here." : "" });
  });
  image.addEventListener("error", () => instead(image, item, result, told), { once: true });
  image.src = sourceUrl(item);
}

const alike = (width, height, result) => Math.abs(width / height / (result.width / result.height) - 1) < 0.02;

// The source cannot be shown: says why, and shows the largest whole result in its place, if there is another one.
async function instead(image, item, result, told) {
  const why = await reason(item.job.links.original, item.job.source.format);
  const others = Object.values(item.job.results).filter((one) => one !== result && one.width > result.width && alike(one.width, one.height, result));
  const largest = others.sort((one, other) => other.width - one.width)[0];
  if (!largest) return told({ isShown: false, words: why });
  image.addEventListener("load", () => told({ isShown: true, words: `${why} In its place, this is the largest result.` }), { once: true });
  image.src = largest.url;
}

async function reason(original, format) {
  try {
    await call(original.slice(base.length), { headers: { Range: "bytes=0-0" } });
    return `This browser cannot show the source${format ? `, which is ${format.toUpperCase()}` : ""}.`;
  } catch (error) {
    return error instanceof Problem ? `The source is not shown: ${error.message}` : error.message;
  }
}
