// Why jobs failed: by error, with what to do, how many there are, and one of them as an example.

import { call, read } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { count, duration } from "../core/format.js";
import { actOnAll } from "./actions.js";
import { explanation } from "./errors.js";
import { jobPath } from "./jobs.js";
import { every } from "./live.js";
import { image, isShowable } from "./pictures.js";
import { at } from "./router.js";
import { nameOf } from "./row.js";
import { SECONDS, spanChoice, spanIn, SPANS } from "./spans.js";

export function show(main, { query }) {
  const span = spanIn(query);
  const place = h("div.failures", { "aria-busy": "true" }, [1, 2].map(() => h("section.failure", {}, h("div.skeleton.example"), h("div.skeleton.tall"))));
  fill(main, h("div.title", {}, h("h1", {}, "Failures"), spanChoice(span, "/failures")), place);
  let isOver = false, shown = "";
  const load = async () => {
    try {
      const found = await read(`/failures?span=${span}`);
      const text = JSON.stringify(found.failures);
      if (isOver || text === shown) return;
      shown = text;
      draw(place, found, span, load);
    } catch (error) {
      if (!isOver) fill(place, h("div.notice.failed", { role: "alert" }, h("p", {}, error.message), h("button", { type: "button", onclick: load }, "Try again")));
    }
  };
  load();
  const stop = every(10000, load);
  return () => {
    isOver = true;
    stop();
  };
}

function draw(place, { failures, seconds }, span, load) {
  place.removeAttribute("aria-busy");
  if (failures.length) return fill(place, failures.map((group) => section(group, span, load)));
  const known = seconds < 0.9 * SECONDS[span] ? `in the ${duration(Math.max(seconds, 1))} that are known of` : `in the ${SPANS[span].toLowerCase()}`;
  fill(place, h("div.empty", {}, h("p", {}, `No job failed ${known}.`)));
}

function section(group, span, load) {
  const tenant = group.example_tenant && group.example_tenant !== "default" ? group.example_tenant : null;
  const filters = new URLSearchParams({ status: "FAILED", error: group.code, ...(tenant && { tenant }) });
  const example = h("a.example", { "aria-hidden": "true", tabindex: -1, href: group.example_job ? at(`/jobs/${group.example_job}`, tenant ? new URLSearchParams({ tenant }) : "") : at("", filters) });
  const named = h("p.small.muted");
  if (group.example_job) showExample(example, named, group.example_job, tenant);
  const retry = group.kept > 0 && h("button", { type: "button", onclick: () => actOnAll(filters, { after: load }) }, "Retry or delete …");
  return h("section.failure", {}, example, h("div", {},
    h("h2", {}, h("span.big", {}, count(group.count)), " ", group.title ?? group.code),
    h("p.small", {}, h("a", { href: explanation(group.code) }, h("code", {}, group.code)), group.retryable === null ? "" : group.retryable ? " · a retry may help" : " · a retry will not help"),
    group.meaning && h("p", {}, group.meaning.replaceAll("`", "")), named,
    h("div.row", {}, h("a.button", { href: at("", filters) }, group.kept === 1 ? "Show the job" : `Show ${count(group.kept)} jobs`), retry)));
}

// The picture of the example as it was uploaded, as far as browsers can show that.
async function showExample(place, named, id, tenant) {
  const job = await call(jobPath(id, "", tenant)).catch(() => null);
  if (!job) return;
  fill(named, "Such as ", h("a", { href: place.href }, nameOf(job)));
  const glyph = h("span.glyph", {}, job.source.format ?? "?");
  fill(place, isShowable(job.source) ? image(job.links.original, () => fill(place, glyph)) : glyph);
}
