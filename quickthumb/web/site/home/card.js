// One image in the list: where it stands, and what was made of it.

import { fill, h } from "../core/dom.js";
import { bytes, duration, share, statusElement, timeElement } from "../core/format.js";
import { fileName, sourceUrl } from "./download.js";
import { dimensions, saving } from "./receipt.js";
import { nameOf } from "./recipe.js";

// `acts` has what the buttons do, each with the item: cancelUpload, again, cancel, retry, make, remove, download, drop, open.
export function card(item, acts) {
  const thumb = h("div.thumb.picture");
  const facts = h("p.facts.muted.small");
  const state = h("div.state", { "aria-live": "polite" });
  const bar = h("div.bar");
  const body = h("div.body");
  const actions = h("div.actions");
  const element = h("article.item", { "aria-label": item.name, tabindex: -1 },
    h("div.item-head", {}, thumb, h("div.item-title", {}, h("h3", { title: item.name }, item.name), facts, state), actions), bar, body);
  element.parts = { thumb, facts, state, bar, body, actions, shown: "" };
  element.acts = acts;
  return element;
}

export function update(element, item, isOld) {
  const { parts } = element;
  progressOf(parts.bar, item);
  setText(parts.facts, factsOf(item));
  showThumb(parts.thumb, item);
  const shown = JSON.stringify([item.phase, item.job?.status, item.job?.attempts, item.problem?.message, item.reason, item.until, Object.keys(item.ready ?? {}), isOld]);
  if (shown === parts.shown) return;
  parts.shown = shown;
  const hadFocus = element.contains(document.activeElement) && document.activeElement !== element;
  element.dataset.phase = item.phase;
  fill(parts.state, stateOf(item));
  fill(parts.actions, actionsOf(item, element.acts, isOld));
  fill(parts.body, bodyOf(item, element.acts));
  if (hadFocus && document.activeElement === document.body) element.focus({ preventScroll: true });
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function factsOf({ file, url, job }) {
  const source = job?.source ?? {};
  return [dimensions(source), source.format?.toUpperCase(), source.bytes || file ? bytes(source.bytes || file.size) : url].filter(Boolean).join(" · ");
}

function showThumb(thumb, item) {
  const url = sourceUrl(item);
  if (thumb.dataset.url === String(url)) return;
  thumb.dataset.url = String(url);
  const unseen = () => fill(thumb, h("span", {}, (item.job?.source.format ?? item.name.split(".").pop()).slice(0, 4).toUpperCase()));
  if (!url) return unseen();
  fill(thumb, h("img", { src: url, alt: "", loading: "lazy", decoding: "async", onerror: unseen }));
}

const WORDS = { queued: "Waits for its turn", sending: "Uploading", refused: "Refused" };

function stateOf(item) {
  const { phase, job } = item;
  if (phase === "paused") return [statusElement("WAITING", "Paused"), h("span.small.muted", {}, `${item.reason} Goes on by itself `, timeElement(new Date(item.until).toISOString()))];
  if (phase === "refused") return statusElement(item.problem.title === "Cancelled" ? "CANCELLED" : "FAILED", item.problem.title === "Cancelled" ? "Cancelled" : "Not accepted");
  if (phase === "queued" || phase === "sending") return statusElement(phase === "queued" ? "WAITING" : "IN_PROGRESS", WORDS[phase]);
  if (!job) return statusElement("WAITING", "Asking");
  const tries = job.attempts > 1 && job.status !== "DONE" && h("span.small.muted", {}, `Attempt ${job.attempts}`);
  const later = job.status === "WAITING" && job.run_at && [h("span.small.muted", {}, "begins "), timeElement(job.run_at)];
  const took = job.status === "DONE" && job.started_at && h("span.small.muted", {}, `in ${duration(Math.max(0.001, (new Date(job.finished_at) - new Date(job.started_at)) / 1000))}`);
  return [statusElement(job.status), tries, later, took];
}

function progressOf(bar, item) {
  const isSending = item.phase === "sending" && item.total > 0;
  bar.hidden = !isSending;
  if (!isSending) return;
  if (!bar.firstChild) fill(bar, h("progress", { max: 1, "aria-label": `Upload of ${item.name}` }), h("p.small.muted"));
  const [progress, words] = bar.children;
  progress.value = item.sent / item.total;
  const left = item.speed && (item.total - item.sent) / item.speed;
  const parts = [`${bytes(item.sent)} of ${bytes(item.total)}`, item.speed && `${bytes(item.speed)}/s`, left > 0.5 && `${duration(Math.ceil(left))} left`];
  setText(words, item.sent >= item.total ? "Sent; the service checks it" : `${share(item.sent / item.total)} · ${parts.filter(Boolean).join(" · ")}`);
}

function actionsOf(item, acts, isOld) {
  const button = (word, act, kind = "button") => h(kind, { type: "button", onclick: () => act(item), "aria-label": `${word}: ${item.name}` }, word);
  const { phase, job } = item;
  if (phase === "queued" || phase === "sending" || phase === "paused") return button("Cancel", acts.cancelUpload);
  if (phase === "refused") return [canRepeat(item) && button("Try again", acts.again), button("Remove", acts.drop, "button.plain")];
  if (!job) return [];
  if (phase === "making") return button("Cancel", acts.cancel);
  const remove = button("Delete", acts.remove, "button.plain");
  if (job.status === "FAILED") return [button("Try again", acts.retry), remove];
  if (job.status === "CANCELLED") return [canRepeat(item) && button("Try again", acts.again), remove];
  return [isOld && button("Make again", acts.make), Object.keys(job.results).length > 1 && button("Download all", acts.download), remove];
}

// After a reload, the page does not have the file any more.
const canRepeat = (item) => Boolean(item.recipe && (item.file || item.url));

function bodyOf(item, acts) {
  const { phase, job, problem } = item;
  if (phase === "refused") return problem.title === "Cancelled" ? [] : h("p.notice.failed", { role: "alert" }, problem.message);
  if (job?.status === "FAILED") return h("p.notice.failed", { role: "alert" }, job.error ? [h("strong", {}, `${job.error.title}. `), job.error.detail] : "The job failed.");
  if (job?.status === "DONE") return h("ul.results", {}, Object.entries(job.results).map(([name, result]) => tile(item, name, result, acts)));
  if (phase === "making" && job) return h("ul.results", {}, expected(item).map((name) => pending(item, name)));
  return [];
}

function tile(item, name, result, acts) {
  const saved = saving(result, item.job.source);
  const warnings = result.warnings?.length;
  return h("li.result", {},
    h("button.frame.picture", { type: "button", tabindex: -1, "aria-hidden": "true", onclick: () => acts.open(item, name) },
      h("img", { src: result.url, alt: "", loading: "lazy", decoding: "async", width: result.width, height: result.height })),
    h("div.result-text", {}, h("b", {}, name), h("p.small", {}, `${dimensions(result)} · ${result.format.toUpperCase()}`),
      h("p.small", {}, bytes(result.bytes), " ", saved && h(saved.startsWith("−") ? "span.saved" : "span.grown", { title: "Compared with the source" }, saved)),
      warnings > 0 && h("p.small.warned", {}, warnings === 1 ? "1 warning" : `${warnings} warnings`),
      h("div.result-links", {}, h("button.plain", { type: "button", "aria-label": `Compare ${name} of ${item.name}`, onclick: () => acts.open(item, name) }, "Compare"),
        h("a", { href: result.url, download: fileName(item, name, result), "aria-label": `Download ${name} of ${item.name}` }, "Download"))));
}

function pending(item, name) {
  const result = item.ready?.[name];
  return h("li.result", {}, h("div.frame.skeleton"), h("div.result-text", {}, h("b", {}, name),
    h("p.small.muted", {}, result ? `${dimensions(result)} · ${result.format.toUpperCase()}` : "Being made"), h("p.small.muted", {}, result ? bytes(result.bytes) : "\u00a0"), h("div.result-links", {}, "\u00a0")));
}

// The names of the results to come, as far as the page knows them.
function expected(item) {
  const names = Object.keys(item.ready ?? {});
  const asked = item.recipe?.outputs.map(nameOf) ?? [];
  const all = [...new Set([...asked, ...names])];
  return all.length ? all : ["…"];
}
