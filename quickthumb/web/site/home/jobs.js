// Follows the jobs of the page in one stream of events; where there is no room for it, asks for each job instead.

import { call, Problem } from "../core/api.js";
import { follow } from "../core/events.js";
import { all, change, drop, jobIs, kept, add } from "./items.js";

// As many as a stream may name; further jobs are followed as soon as others have ended.
const MOST = 100;
const ASK_SECONDS = 2;
let followed = "";
let stop = null;
let asking = null;

// Follows what has not ended. Call it whenever that may have changed.
export function followJobs() {
  const ids = all().filter((item) => item.phase === "making" && item.job).map((item) => item.job.id).slice(-MOST);
  const query = ids.sort().map((id) => `job=${id}`).join("&");
  if (query === followed) return;
  followed = query;
  stop?.();
  stop = query ? follow(query, heard, () => ask()) : null;
  if (!query) stopAsking();
}

function heard(name, data) {
  stopAsking();
  const item = all().find((one) => one.job?.id === data.id);
  if (!item) return;
  if (name === "job.removed") drop(item);
  else if (name === "result.ready") change(item, { ready: { ...item.ready, [data.name]: data.result } });
  else if (data.created_at) jobIs(item, data);
  else if (data.status) jobIs(item, { ...item.job, status: data.status, attempts: data.attempt ?? item.job.attempts });
  if (name.startsWith("job.") && ["DONE", "FAILED"].includes(data.status) && !data.created_at) look(item);
}

function ask() {
  asking ??= setInterval(() => all().filter((item) => item.phase === "making" && item.job).slice(-MOST).forEach(look), ASK_SECONDS * 1000);
}

function stopAsking() {
  clearInterval(asking);
  asking = null;
}

async function look(item) {
  try {
    jobIs(item, await call(`/jobs/${item.job.id}`));
  } catch (error) {
    if (!(error instanceof Problem)) return;
    if (error.status === 404) drop(item);
    if (error.status === 403) change(item, { phase: "refused", problem: { message: `The image was uploaded, but this page cannot follow its job: ${error.message}` } });
  }
}

// The jobs that this tab had before it was loaded again.
export async function comeBack() {
  const wanted = kept();
  if (!wanted.length) return;
  const { jobs } = await call("/jobs?limit=100");
  const found = new Map(jobs.map((job) => [job.id, job]));
  const missing = wanted.filter(({ id }) => !found.has(id));
  const answers = await Promise.allSettled(missing.map(({ id }) => call(`/jobs/${id}`)));
  for (const { value } of answers) if (value) found.set(value.id, value);
  for (const { id, name, recipe } of wanted.reverse()) {
    if (found.has(id)) jobIs(add({ name, recipe, key: id, phase: "making", job: found.get(id) }), found.get(id));
  }
}
