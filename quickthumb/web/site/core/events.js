// Follows jobs: one stream of server-sent events for the whole page, since browsers have six connections to a host.

import { base, call, reached } from "./api.js";

const NAMES = ["snapshot", "job.waiting", "job.in_progress", "result.ready", "job.done", "job.failed", "job.cancelled", "job.removed", "batch.done", "reset"];

// Follows what `query` names, such as "job=a&job=b"; with "", all jobs. `heard(name, data)` is told each event.
// Goes on after a break by itself. Each time the service refuses the stream, because it has too many, `refused` is
// called. Returns a function that ends it.
export function follow(query, heard, refused = () => {}) {
  let source, timer, doubt, pause = 1000;
  const open = () => {
    source = new EventSource(`${base}/events${query ? `?${query}` : ""}`);
    source.onopen = () => {
      pause = 1000;
      reached(true);
    };
    // The browser connects again after a broken connection, but not after an answer that is no stream, such as 503.
    source.onerror = () => {
      // A stream that ends is no news: the service ends it after the last job. Whether it is there, a request shows.
      clearTimeout(doubt);
      doubt = setTimeout(() => source.readyState === EventSource.OPEN || call("/healthz").catch(() => {}), 1000);
      if (source.readyState !== EventSource.CLOSED) return;
      refused();
      clearTimeout(timer);
      timer = setTimeout(open, pause);
      pause = Math.min(2 * pause, 30000);
    };
    for (const name of NAMES) source.addEventListener(name, ({ data }) => heard(name, JSON.parse(data)));
  };
  open();
  return () => {
    clearTimeout(timer);
    clearTimeout(doubt);
    source.close();
  };
}
