// Small pictures of jobs: a result if there is one that browsers can show, else what is known of the source's look.

import { h } from "../core/dom.js";
import { thumbhashCanvas } from "./thumbhash.js";

const SHOWN = new Set(["jpeg", "png", "webp", "avif", "gif"]);

// The smallest result that fills a square of so many CSS pixels, or else the largest; null without any.
export function bestResult(job, box) {
  const shown = Object.values(job.results).filter(({ format }) => SHOWN.has(format));
  const edge = (result) => Math.max(result.width, result.height);
  shown.sort((a, b) => edge(a) - edge(b));
  return shown.find((result) => edge(result) >= box * devicePixelRatio) ?? shown.at(-1) ?? null;
}

// A square with the picture of a job. It has its size before the picture is there. The text beside it names it.
export function thumb(job, box = 48) {
  const place = h("span.thumb", { "aria-hidden": "true" });
  place.style.setProperty("--box", `${box}px`);
  const result = bestResult(job, box);
  place.append(result ? image(result.url, () => place.replaceChildren(likeness(job.source))) : likeness(job.source));
  return place;
}

// The picture at this URL, which calls `failed` if it cannot be shown.
export function image(url, failed = () => {}, alt = "") {
  return h("img", { src: url, loading: "lazy", decoding: "async", alt, onerror: failed });
}

// Whether browsers can show the source itself, and it is small enough to be loaded for that.
export function isShowable(source, mostBytes = 8e6) {
  return SHOWN.has(source.format) && source.bytes <= mostBytes;
}

function likeness({ thumbhash, dominant_color: color, format }) {
  const canvas = thumbhash && thumbhashCanvas(thumbhash);
  if (canvas) return canvas;
  const glyph = h("span.glyph", {}, color ? "" : (format ?? "?").slice(0, 4));
  if (color) glyph.style.background = color;
  return glyph;
}
