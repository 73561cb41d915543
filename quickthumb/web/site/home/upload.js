// Uploads images, three at a time. An upload that the connection broke goes on by itself; its Idempotency-Key keeps
// the service from making two jobs of it.

import { base, call, Lost, onConnection, reached, refusal } from "../core/api.js";
import { add, all, change, jobIs } from "./items.js";
import { asFields, asJson } from "./recipe.js";

const AT_ONCE = 3;
const LONGEST_PAUSE = 15;
// After so many broken tries while the service answers other requests, the upload itself must be at fault.
const MOST_TRIES = 6;
// The service may take these at another time.
const PASSING = new Set([409, 429, 502, 503, 504, 507]);
const requests = new Map();
const timers = new Map();

// `crypto.randomUUID` exists only with HTTPS and on this machine.
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Begins as many uploads as there is room for, the oldest first.
export function pump() {
  const waiting = all().filter((item) => item.phase === "queued").reverse();
  for (const item of waiting.slice(0, Math.max(0, AT_ONCE - requests.size))) send(item);
}

export function cancelUpload(item) {
  clearTimeout(timers.get(item));
  requests.get(item)?.abort();
  requests.delete(item);
  change(item, { phase: "refused", problem: { title: "Cancelled", message: "You cancelled the upload." } });
  pump();
}

// Tries an item again from the beginning, as a new request.
export function again(item) {
  change(item, { phase: "queued", key: newKey(), problem: null, tries: 0, sent: 0, job: null });
  pump();
}

// Makes what `recipe` says of an image that the service has already.
export async function derive(item, recipe) {
  const made = add({ name: item.name, file: item.file, url: item.url, preview: item.preview, recipe, key: newKey(), phase: "making", job: null });
  try {
    jobIs(made, await call(`/jobs/${item.job.id}/outputs`, { method: "POST", json: asJson(recipe), headers: { "Idempotency-Key": made.key } }));
  } catch (problem) {
    change(made, { phase: "refused", problem });
  }
}

function send(item) {
  const form = new FormData();
  for (const [name, value] of asFields(item.recipe)) form.append(name, value);
  if (item.file) form.append("image", item.file, item.name);
  else form.append("url", item.url);
  const request = new XMLHttpRequest();
  const began = performance.now();
  requests.set(item, request);
  change(item, { phase: "sending", sent: 0, total: item.file?.size ?? 0, speed: 0, problem: null });
  request.upload.onprogress = ({ loaded }) => progress(item, loaded, (performance.now() - began) / 1000);
  request.onload = () => answered(item, request);
  request.onerror = () => broken(item);
  request.open("POST", `${base}/images/`);
  request.setRequestHeader("Accept", "application/json");
  request.setRequestHeader("Idempotency-Key", item.key);
  request.send(form);
}

function progress(item, loaded, seconds) {
  if (item.phase !== "sending") return;
  change(item, { sent: Math.min(loaded, item.total), speed: seconds > 0.3 ? loaded / seconds : 0 });
}

function answered(item, request) {
  requests.delete(item);
  reached(true);
  const body = parsed(request.responseText);
  if (request.status === 202 || request.status === 200) jobIs(item, body);
  else refused(item, refusal(request.status, body, Number(request.getResponseHeader("Retry-After")) || null));
  pump();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // a proxy answered in place of the service
  }
}

function refused(item, problem) {
  if (PASSING.has(problem.status) && problem.code !== "key_reused") pause(item, problem.retryAfter ?? 2, problem.message);
  else change(item, { phase: "refused", problem });
}

// The connection broke. If the service answers all the same, it may have refused the upload in the middle.
async function broken(item) {
  requests.delete(item);
  const tries = (item.tries ?? 0) + 1;
  change(item, { tries });
  if (!(await isThere()) || tries < MOST_TRIES) pause(item, Math.min(2 ** (tries - 1), LONGEST_PAUSE), "The connection broke.");
  else change(item, { phase: "refused", problem: { message: `The connection broke ${tries} times, although the service can be reached. The file may be larger than the service, or a proxy before it, accepts.` } });
  pump();
}

async function isThere() {
  try {
    await call("/healthz");
    return true;
  } catch (error) {
    return !(error instanceof Lost);
  }
}

function pause(item, seconds, reason) {
  change(item, { phase: "paused", until: Date.now() + seconds * 1000, reason });
  timers.set(item, setTimeout(() => resume(item), seconds * 1000));
}

function resume(item) {
  clearTimeout(timers.get(item));
  if (item.phase !== "paused") return;
  change(item, { phase: "queued" });
  pump();
}

// What waited for the connection goes on as soon as there is one again.
const goOn = () => all().filter((item) => item.phase === "paused" && item.tries).forEach(resume);
addEventListener("online", goOn);
onConnection((is) => is && goOn());
// Who leaves the page now loses what has not arrived yet.
addEventListener("beforeunload", (event) => {
  if (all().some((item) => ["queued", "sending", "paused"].includes(item.phase))) event.preventDefault();
});
