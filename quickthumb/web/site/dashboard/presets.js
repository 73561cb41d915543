// The presets, each with its outputs and a sample picture that the service has made with it.

import { call, read } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { bytes, timeElement } from "../core/format.js";
import { toast } from "../core/shell.js";
import { image } from "./pictures.js";
import { may } from "./rights.js";
import { at } from "./router.js";
import { samplePicture } from "./sample.js";

// The tag of the jobs that make samples; their context names the preset.
const TAG = "preset-sample";

export function show(main, { session }) {
  const draw = h("button", { type: "button", hidden: true, onclick: () => view.drawSamples() }, "Draw samples");
  const place = h("div.presets", { "aria-busy": "true" }, [1, 2, 3].map(() => h("div.skeleton.tall")));
  fill(main, h("div.title", {}, h("h1", {}, "Presets"), draw), place);
  const view = new Presets(place, draw, session);
  view.load();
  return () => (view.isOver = true);
}

class Presets {
  constructor(place, button, session) {
    Object.assign(this, { place, button, session, samples: new Map(), isOver: false });
  }

  async load() {
    try {
      const [{ presets }, jobs] = await Promise.all([read("/presets"), this.madeBefore()]);
      if (this.isOver) return;
      this.presets = presets;
      for (const job of jobs.toReversed()) this.samples.set(job.context?.preset, job);
      this.button.hidden = !may(this.session, "images:write");
      this.show();
    } catch (error) {
      if (!this.isOver) fill(this.place, h("div.notice.failed", { role: "alert" }, h("p", {}, error.message), h("button", { type: "button", onclick: () => this.load() }, "Try again")));
    }
  }

  async madeBefore() {
    if (!may(this.session, "jobs:read")) return [];
    const answer = await call(`/jobs?tag=${TAG}&status=DONE&limit=100`).catch(() => null);
    return answer?.jobs ?? [];
  }

  show() {
    this.place.removeAttribute("aria-busy");
    this.button.textContent = this.samples.size ? "Draw samples again" : "Draw samples";
    fill(this.place, Object.entries(this.presets).map(([name, outputs]) => card(name, outputs, this.samples.get(name))));
  }

  // Has the service apply each preset to the same picture. What it has made already for the same recipe, it takes again.
  async drawSamples() {
    this.button.disabled = true;
    try {
      const picture = await samplePicture();
      await Promise.all(Object.keys(this.presets).map(async (preset) => {
        const query = new URLSearchParams({ preset, dedupe: "yes", keep: "1d", tag: TAG, filename: `sample for ${preset}.png`, context: JSON.stringify({ preset }), wait: 20 });
        const job = await call(`/images/?${query}`, { method: "POST", body: picture, headers: { "Content-Type": "image/png" } });
        this.samples.set(preset, job);
      }));
    } catch (error) {
      toast(error.message, { kind: "failed" });
    }
    this.button.disabled = false;
    if (!this.isOver) this.show();
  }
}

function card(name, outputs, job) {
  return h("section.preset", {}, h("h2", {}, name), job && h("p.small.muted", {}, h("a", { href: at(`/jobs/${job.id}`) }, "Sample"), " drawn ", timeElement(job.created_at)),
    h("div.gallery", {}, outputs.map((output) => one(output, job))));
}

function one({ name, ...parameters }, job) {
  const result = job?.results[name];
  const picture = result ? h("a.picture", { href: result.url }, sized(result, name)) : h("div.picture.no-sample", {}, h("span.muted.small", {}, job?.error?.title ?? (job ? "Being drawn …" : "No sample yet")));
  const recipe = Object.entries(parameters).map(([key, value]) => `${key}=${Array.isArray(value) ? value.join() : value === true ? "yes" : value === false ? "no" : value}`);
  return h("figure", {}, picture, h("figcaption", {}, h("strong", {}, name), h("div.small", {}, h("code", {}, recipe.join(" ") || "as it is")),
    result && h("div.small.muted", {}, `${result.format.toUpperCase()}, ${result.width} × ${result.height}, ${bytes(result.bytes)}`)));
}

function sized(result, name) {
  const picture = image(result.url, () => picture.replaceWith(h("span.empty", {}, "This sample is gone.")), name);
  return Object.assign(picture, { width: result.width, height: result.height });
}
