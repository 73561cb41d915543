// One job in the list.

import { fill, h } from "../core/dom.js";
import { bytes, duration, statusElement, timeElement } from "../core/format.js";
import { thumb } from "./pictures.js";
import { at } from "./router.js";

// The name of a job for people: that of its file.
export const nameOf = (job) => job.source.filename ?? "Without a name";

// Where its details are. `tenant` is what the list was asked for.
export const pathOf = (job, tenant) => at(`/jobs/${job.id}`, tenant ? new URLSearchParams({ tenant: job.tenant }) : "");

// Makes the element of a job. `chosen(job, is, event)` hears when it is selected; without it, there is no box for that.
export function makeRow(job, { tenant, chosen }) {
  const box = chosen && h("input", { type: "checkbox", "aria-label": `Select ${nameOf(job)}`, onclick: (event) => chosen(job.id, box.checked, event) });
  const link = h("a.name", { href: pathOf(job, tenant) }, nameOf(job));
  const row = h("li.job", {}, chosen && h("label.choose", {}, box), h("span.thumb-place"), h("div.what", {}, link, h("div.facts")), h("div.state"), h("div.when"));
  return row;
}

// Brings the element up to date with the job.
export function updateRow(row, job, { tenant, selected }) {
  const box = row.querySelector("input");
  if (box) box.checked = selected.has(job.id);
  row.classList.toggle("is-selected", selected.has(job.id));
  const version = [job.status, job.attempts, job.finished_at, Object.keys(job.results).length, job.run_at].join();
  if (row.dataset.version === version) return;
  row.dataset.version = version;
  fill(row.querySelector(".thumb-place"), thumb(job));
  fill(row.querySelector(".facts"), job.error ? h("span.error", {}, job.error.title) : facts(job), tenant === "*" && h("span", {}, job.tenant));
  fill(row.querySelector(".state"), statusElement(job.status));
  fill(row.querySelector(".when"), timeElement(job.created_at), h("div", {}, taken(job)));
}

function facts({ source, results, tags }) {
  const made = Object.keys(results).length;
  return [
    source.format && h("span", {}, source.format.toUpperCase()),
    source.width && h("span", {}, `${source.width} × ${source.height}`),
    source.bytes && h("span", {}, bytes(source.bytes)),
    made > 0 && h("span", {}, made === 1 ? "1 output" : `${made} outputs`),
    tags.map((tag) => h("span.tag", {}, tag)),
  ];
}

function taken(job) {
  if (job.started_at && job.finished_at) return duration((new Date(job.finished_at) - new Date(job.started_at)) / 1000);
  if (job.run_at && job.status === "WAITING") return ["due ", timeElement(job.run_at)];
  return job.attempts > 1 ? `attempt ${job.attempts}` : "";
}
