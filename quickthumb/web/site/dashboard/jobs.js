// What the views ask of the API about jobs.

import { call, read } from "../core/api.js";

export const FILTERS = ["status", "filename", "format", "error", "tag", "after", "before", "context", "tenant"];
export const PAGE = 50;
const MOST_NAMED = 200;
const AT_A_TIME = 200;

// The filters of a query, without what else it has.
export function filtersIn(query) {
  return new URLSearchParams([...query].filter(([name, value]) => FILTERS.includes(name) && value));
}

let early = null;

// Asks for the first page before it is known who is there, to save the reader a round trip. `page` uses the answer once.
export function askEarly(filters) {
  early = { key: String(filters), answer: call(`/jobs?${withMore(filters, { limit: PAGE })}`).catch(() => null) };
}

// A page of jobs, newest first.
export async function page(filters, { limit = PAGE, cursor, signal } = {}) {
  const asked = early;
  early = null;
  const isAsked = asked?.key === String(filters) && limit === PAGE && !cursor;
  return (isAsked && (await asked.answer)) || read(`/jobs?${withMore(filters, { limit, cursor })}`, { signal });
}

// The path of one job's URLs, such as job("5f0c…", "/cancel", "shop").
export function jobPath(id, rest = "", tenant = null) {
  return `/jobs/${id}${rest}${tenant ? `?${new URLSearchParams({ tenant })}` : ""}`;
}

export const VERBS = {
  retry: { label: "Retry", doing: "Retrying", done: "retried", method: "POST", path: "/jobs/retry", statuses: ["FAILED"], of: "failed" },
  cancel: { label: "Cancel", doing: "Cancelling", done: "cancelled", method: "POST", path: "/jobs/cancel", statuses: ["WAITING", "IN_PROGRESS"], of: "unfinished" },
  remove: { label: "Delete", doing: "Deleting", done: "deleted", method: "DELETE", path: "/jobs", statuses: [null], of: "", danger: true },
};

// Applies a verb to these jobs, or with `isDry` counts to how many it could be. Returns that number.
export async function applyTo(jobs, verb, { isDry = false, tenant = null } = {}) {
  let count = 0;
  for (const [owner, ids] of grouped(jobs, tenant))
    for (let begin = 0; begin < ids.length; begin += MOST_NAMED) {
      const query = new URLSearchParams(ids.slice(begin, begin + MOST_NAMED).map((id) => ["job", id]));
      count += (await bulk(verb, withMore(query, { dry_run: isDry && "yes", tenant: owner }))).count;
    }
  return count;
}

// Applies a verb to all jobs that the filters select, a few hundred at a time, until `signal` says stop. Tells
// `progress(count)` how far it is. Returns how many were changed.
export async function applyToAll(filters, verb, { isDry = false, progress = () => {}, signal } = {}) {
  let count = 0;
  for (const status of statusesFor(filters, verb)) {
    let cursor;
    do {
      const report = await bulk(verb, withMore(filters, { status, cursor, limit: isDry ? 1000 : AT_A_TIME, dry_run: isDry && "yes" }));
      count += report.count;
      cursor = report.cursor;
      progress(count);
    } while (cursor && !signal?.aborted);
  }
  return count;
}

// How many jobs a verb would change, and whether there are more than that. Lists know their length; a search must count.
export async function countFor(filters, verb, signal) {
  let count = 0;
  for (const status of statusesFor(filters, verb)) {
    const { total } = await page(withMore(filters, { status }), { limit: 1, signal });
    if (total === null) return { count: await applyToAll(filters, verb, { isDry: true, signal }) };
    count += total;
  }
  return { count };
}

// The statuses that a verb is to be asked for, one after the other; null stands for any.
function statusesFor(filters, verb) {
  const status = filters.get("status");
  if (!status) return verb.statuses;
  return verb.statuses.includes(null) || verb.statuses.includes(status) ? [status] : [];
}

function bulk(verb, query) {
  return call(`${verb.path}?${query}`, { method: verb.method });
}

function withMore(filters, more) {
  const query = new URLSearchParams(filters);
  for (const [name, value] of Object.entries(more)) if (value) query.set(name, value);
  return query;
}

function grouped(jobs, tenant) {
  const groups = new Map();
  for (const job of jobs) {
    const owner = tenant && job.tenant;
    groups.set(owner, [...(groups.get(owner) ?? []), job.id]);
  }
  return groups;
}
