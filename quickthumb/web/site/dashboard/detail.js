// One job: its pictures, what happened to it, what is known of it, and what one can do about it.

import { call, read } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { bytes, statusElement } from "../core/format.js";
import { toast } from "../core/shell.js";
import { buttonsFor } from "./actions.js";
import { explanation, meaning } from "./errors.js";
import { jobPath } from "./jobs.js";
import { listen, paced } from "./live.js";
import { image, isShowable } from "./pictures.js";
import { may, operates } from "./rights.js";
import { at, navigate } from "./router.js";
import { nameOf } from "./row.js";
import { timeline } from "./timeline.js";

export function show(main, { params: [id], query, session }) {
  const detail = new Detail(main, id, query.get("tenant"), session);
  detail.begin();
  return () => detail.end();
}

class Detail {
  constructor(main, id, tenant, session) {
    Object.assign(this, { main, id, tenant, session, deliveries: null, worker: null, mayWrite: may(session, "jobs:write") });
    this.refresh = paced(() => this.load(), 500);
    this.place = h("article.detail", { "aria-busy": "true" }, skeleton());
    fill(main, h("p.back", {}, h("a", { href: at("", tenant ? new URLSearchParams({ tenant }) : "") }, "← All jobs")), this.place);
  }

  begin() {
    this.stop = listen({ job: this.id, tenant: this.tenant }, () => this.refresh());
    this.load();
  }

  end() {
    this.isOver = true;
    this.stop();
    this.refresh.end();
  }

  async load() {
    try {
      const [job, deliveries, worker] = await Promise.all([read(jobPath(this.id, "", this.tenant)), this.loadDeliveries(), this.loadWorker()]);
      Object.assign(this, { job, deliveries, worker });
      if (!this.isOver) this.draw();
    } catch (error) {
      if (!this.isOver) this.drawError(error);
    }
  }

  async loadDeliveries() {
    if (!may(this.session, "webhooks")) return null;
    return (await call(jobPath(this.id, "/deliveries", this.tenant)).catch(() => null))?.deliveries ?? null;
  }

  // Who works on the job now; only operators may ask.
  async loadWorker() {
    if (!operates(this.session)) return null;
    const answer = await call("/workers").catch(() => null);
    return answer?.workers.find(({ running }) => running.some(({ id }) => id === this.id))?.id ?? null;
  }

  draw() {
    const { job, place } = this;
    const opened = new Set([...place.querySelectorAll("details[open]")].map(({ dataset }) => dataset.name));
    document.title = `${nameOf(job)} · Dashboard · QuickThumb`;
    place.removeAttribute("aria-busy");
    fill(place, this.head(), job.error && this.failure(job.error),
      h("div.columns", {}, h("div.pictures-column", {}, this.pictures()), h("div", {}, h("h2", {}, "What happened"), this.timeline(), h("h2", {}, "Facts"), this.facts())));
    for (const one of place.querySelectorAll("details")) one.open = opened.has(one.dataset.name);
  }

  head() {
    const { job } = this;
    const after = (verb) => (verb.danger ? navigate(at(), { replace: true }) : this.load());
    const original = may(this.session, "results:read") && h("a.button", { href: job.links.original }, "Original");
    return h("header.job-head", {}, h("div", {}, h("h1", {}, nameOf(job)), h("p.small.muted", {}, statusElement(job.status), " ", h("code", {}, job.id))),
      h("div.row", {}, original, this.mayWrite && buttonsFor([job], { tenant: this.tenant, after })));
  }

  failure(error) {
    const advice = h("p", {}, "…");
    meaning(error.code).then((text) => (advice.textContent = text ?? ""));
    return h("div.notice.failed", { role: "alert" }, h("h2.small-title", {}, error.title), h("p", {}, error.detail), advice,
      h("p.small", {}, h("a", { href: explanation(error.code) }, h("code", {}, error.code)), error.retryable ? " · a retry may help" : " · a retry will not help"));
  }

  pictures() {
    const { job } = this;
    const results = Object.entries(job.results);
    if (!may(this.session, "results:read")) return h("p.empty", {}, "Your API key may not see results.");
    if (results.length) return h("div.gallery", {}, results.map(([name, result]) => figure(name, result)));
    if (isShowable(job.source) && (job.status !== "DONE")) return figure("Original", { ...job.source, url: job.links.original });
    return h("p.empty", {}, job.status === "DONE" ? "The results are gone." : "There are no results yet.");
  }

  timeline() {
    const replay = async ({ id }) => {
      try {
        await call(`/deliveries/${id}/replay${this.tenant ? `?tenant=${encodeURIComponent(this.tenant)}` : ""}`, { method: "POST" });
        toast("The event is sent again.");
      } catch (error) {
        toast(error.message, { kind: "failed" });
      }
      this.refresh();
    };
    return timeline(this.job, { worker: this.worker, deliveries: this.deliveries, replay: may(this.session, "webhooks") ? replay : null });
  }

  facts() {
    const { source, tags, context, priority, tenant, derived_from: parent } = this.job;
    const within = (query = {}) => new URLSearchParams({ ...query, ...(this.tenant && { tenant: this.tenant }) });
    const rows = [
      ["Format", source.format?.toUpperCase()], ["Size", source.width && `${source.width} × ${source.height} pixels`], ["Bytes", source.bytes && bytes(source.bytes)],
      ["Tags", tags.length ? tags.map((tag) => h("a.tag", { href: at("", within({ tag })) }, tag)) : null],
      ["Priority", priority], ["Tenant", tenant], ["Made from", parent && h("a", { href: at(`/jobs/${parent}`, within()) }, parent)],
      ["SHA-256", source.sha256 && h("code.wrap", {}, source.sha256)],
    ];
    return [h("dl.facts-list", {}, rows.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      context && block("context", "Context", context), block("source", "All that is known of the source", source)];
  }

  drawError(error) {
    this.place.removeAttribute("aria-busy");
    const text = error.status === 404 ? "There is no such job. It may have been deleted, or its time was over." : error.message;
    fill(this.place, h("div.empty", { role: "alert" }, h("h1", {}, error.status === 404 ? "Not found" : "This did not work"), h("p", {}, text), h("button", { type: "button", onclick: () => this.load() }, "Try again")));
  }
}

function figure(name, result) {
  const facts = [result.format.toUpperCase(), `${result.width} × ${result.height}`, bytes(result.bytes), result.quality && `quality ${result.quality}`];
  const picture = image(result.url, () => picture.replaceWith(h("span.empty", {}, "This picture cannot be shown.")), name);
  picture.width = result.width;
  picture.height = result.height;
  return h("figure", {}, h("a.picture", { href: result.url }, picture),
    h("figcaption", {}, h("strong", {}, name), h("div.facts", {}, facts.filter(Boolean).map((fact) => h("span", {}, fact))), (result.warnings ?? []).map((warning) => h("div.small", {}, typeof warning === "string" ? warning : JSON.stringify(warning)))));
}

const block = (name, title, value) => h("details", { "data-name": name }, h("summary", {}, title), h("pre", { tabindex: 0 }, JSON.stringify(value, null, 2)));

function skeleton() {
  return [h("div.job-head", {}, h("div", {}, h("h1", {}, h("span.skeleton", {}, "A file's name.jpg")), h("p.small", {}, h("span.skeleton", {}, "Done and an id")))),
    h("div.columns", {}, h("div.skeleton.tall"), h("div.skeleton.tall"))];
}
