// What happened to a job, in the order in which it did.

import { h } from "../core/dom.js";
import { bytes, duration, moment, timeElement } from "../core/format.js";
import { named } from "./errors.js";

const ENDS = { DONE: "Done", FAILED: "Failed", CANCELLED: "Cancelled" };

// The list for a job. `worker` is who works on it now, `deliveries` what its webhooks were told (null if unknown), and
// `replay(delivery)` sends one again.
export function timeline(job, { worker, deliveries, replay }) {
  return h("ol.timeline", {}, accepted(job), waiting(job), attempts(job, worker), ended(job), (deliveries ?? []).map((one) => delivered(one, replay)), expiry(job));
}

function step(kind, title, time, ...more) {
  return h("li", { "data-step": kind }, h("div.step-title", {}, h("strong", {}, title), time && timeElement(time)), more.length > 0 && h("div.muted.small", {}, more));
}

function accepted(job) {
  const how = job.derived_from ? "made from another job's image" : job.source.bytes && bytes(job.source.bytes);
  return step("accepted", "Accepted", job.created_at, how ?? "");
}

function waiting(job) {
  const begun = job.run_at && new Date(job.run_at) > new Date(job.created_at) ? job.run_at : job.created_at;
  const planned = begun !== job.created_at && step("planned", "Scheduled for", job.run_at, moment(job.run_at));
  const first = job.history?.find(({ attempt }) => attempt === 1)?.started_at ?? (job.attempts <= 1 && job.started_at);
  if (job.started_at) return [planned, first && step("waited", `Waited ${between(begun, first)}`, null)];
  if (job.status !== "WAITING") return planned;
  return [planned, step("waiting", "Waiting", null, job.attempts ? `for attempt ${job.attempts + 1}` : `priority ${job.priority}`)];
}

// The service remembers the latest attempts that are over. Of those before, only their number is known, and of the last
// one, if an earlier release made it, when it began and how long it took.
function attempts(job, worker) {
  if (!job.started_at || !job.attempts) return null;
  const past = job.history ?? [];
  const isOver = past.at(-1)?.attempt === job.attempts;
  const others = job.attempts - past.length - (isOver ? 0 : 1);
  const earlier = others > 0 && step("retried", others === 1 ? "1 earlier attempt" : `${others} earlier attempts`, null, "that did not finish the job");
  return [earlier, past.map((one) => pastAttempt(one, job)), !isOver && latest(job, worker)];
}

function pastAttempt({ attempt, worker, started_at: began, seconds, status, error }, job) {
  const facts = [seconds !== null && `took ${duration(seconds)}`, worker && `on ${worker}`, ending(status, error)].filter(Boolean);
  return step("attempt", `Attempt ${attempt}`, began, facts.flatMap((fact, place) => (place ? [" · ", fact] : [fact])), attempt === job.attempts && outputs(job));
}

// How an attempt ended that did not finish the job.
function ending(status, error) {
  if (error) return named(error);
  if (status === "WAITING") return "put back into the queue";
  if (status === "CANCELLED") return "cancelled";
  return status === null && "its worker died or lost its connection";
}

function latest(job, worker) {
  const isOn = job.status === "IN_PROGRESS";
  const took = job.finished_at && `took ${between(job.started_at, job.finished_at)}`;
  const facts = [took, worker && `on ${worker}`].filter(Boolean).join(" · ");
  return step(isOn ? "working" : "attempt", `Attempt ${job.attempts}`, job.started_at, facts || (isOn ? "working" : ""), outputs(job));
}

function outputs(job) {
  const results = Object.entries(job.results);
  return results.length > 0 && h("ul.outputs", {}, results.map(([name, one]) => h("li", {}, `${name} — ${one.format.toUpperCase()}, ${one.width} × ${one.height}, ${bytes(one.bytes)}`)));
}

function ended(job) {
  if (!(job.status in ENDS)) return null;
  const note = job.deduplicated ? "with the results of an earlier job" : (job.error?.code ?? "");
  return step(job.status.toLowerCase(), ENDS[job.status], job.finished_at, note);
}

function delivered(delivery, replay) {
  const last = delivery.attempts.at(-1);
  const answer = last && (last.error ?? `answered ${last.status} in ${duration(last.seconds)}`);
  const tries = delivery.attempts.length > 1 ? `${delivery.attempts.length} attempts; ` : "";
  const words = { DONE: "Webhook delivered", FAILED: "Webhook not delivered", WAITING: "Webhook pending", IN_PROGRESS: "Webhook being sent", CANCELLED: "Webhook given up" };
  const again = replay && ["DONE", "FAILED"].includes(delivery.status) && h("button.plain", { type: "button", onclick: () => replay(delivery) }, "Send again");
  return step(`webhook-${delivery.status.toLowerCase()}`, `${words[delivery.status]}: ${delivery.event}`, delivery.created_at, h("div.url", {}, delivery.url), tries, answer ?? "", again);
}

function expiry(job) {
  return job.expires_at && step("expiry", "May be removed", job.expires_at, moment(job.expires_at));
}

const between = (from, to) => duration(Math.max(0, new Date(to) - new Date(from)) / 1000);
