// The API keys: whose they are, what they may do, and how much of their quotas is used.

import { read } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { bytes, count, duration, timeElement } from "../core/format.js";

const QUOTAS = {
  requests_per_minute: "Requests a minute", uploads_per_hour: "Uploads an hour", upload_bytes_per_day: "Bytes a day", output_pixels_per_hour: "Pixels an hour",
  unended_jobs: "Unfinished jobs", stored_bytes: "Bytes kept", event_streams: "Open streams",
};
const BOUNDS = { presets: "presets", max_bytes: "bytes", max_pixels: "pixels", max_outputs: "outputs", max_output_pixels: "output pixels" };

export function show(main) {
  const place = h("div", { "aria-busy": "true" }, h("div.skeleton.tall"));
  fill(main, h("div.title", {}, h("h1", {}, "Keys")), place);
  let isOver = false;
  const load = async () => {
    try {
      const { keys } = await read("/keys");
      if (!isOver) draw(place, keys);
    } catch (error) {
      if (!isOver) fill(place, h("div.notice.failed", { role: "alert" }, h("p", {}, error.message), h("button", { type: "button", onclick: load }, "Try again")));
    }
  };
  load();
  return () => (isOver = true);
}

function draw(place, keys) {
  place.removeAttribute("aria-busy");
  if (!keys.length) {
    return fill(place, h("div.empty", {}, h("p", {}, "There are no API keys, so the service answers only on its own machine."), h("p", {}, "Make one there: ", h("code", {}, "quickthumb keys create --scope images:write"))));
  }
  const ended = keys.filter(isOver), valid = keys.filter((key) => !isOver(key));
  fill(place, valid.map(card), ended.length > 0 && h("details", {}, h("summary", {}, `${count(ended.length)} ended`), ended.map(card)),
    h("p.small.muted", {}, "Keys are made, replaced and revoked on the service's machine: ", h("code", {}, "quickthumb keys"), "."));
}

const isOver = ({ ends_at: end }) => end !== null && new Date(end) <= Date.now();

function card(key) {
  const bounds = Object.entries(key.bounds).filter(([, value]) => value !== null).map(([name, value]) => `${BOUNDS[name]} ${Array.isArray(value) ? value.join(", ") : name.includes("bytes") ? bytes(value) : count(value)}`);
  return h("section.key", {}, h("div", {}, h("h2", {}, key.name || key.id), h("p.small.muted", {}, h("code", {}, key.id), " · ", key.tenant)),
    h("div.small", {}, h("div.row", {}, [...key.scopes].map((scope) => h("span.tag", {}, scope))), bounds.length > 0 && h("p.muted", {}, `At most in one request: ${bounds.join(" · ")}`)),
    h("div.small", {}, key.quotas.map(quota)), h("div.small.muted.ends", {}, h("div", {}, "made ", timeElement(key.created_at)), ending(key)));
}

function ending(key) {
  if (!key.ends_at) return h("div", {}, "does not end");
  return h("div", {}, key.revoked ? "revoked " : isOver(key) ? "expired " : "ends ", timeElement(key.ends_at));
}

function quota({ quota: name, most, used, window_seconds: window }) {
  const written = (value) => (name.includes("bytes") ? bytes(value) : count(value));
  const text = used === null ? `up to ${written(most)}` : `${written(used)} of ${written(most)}`;
  const label = `${QUOTAS[name] ?? name}: ${text}`;
  return h("div.quota", { title: window ? `within ${duration(window)}` : null }, h("div", {}, label), used !== null && h("progress", { value: used, max: most, "aria-label": label }));
}
