// Keeps a view up to date: by one stream of events, or by asking every few seconds where there is no stream.

import { follow } from "../core/events.js";

// Calls `task` now and then, but never more often than each `pause` milliseconds, however often it is asked to; and not
// while the page is hidden. Returns a function that asks for it; its `end` stops it.
export function paced(task, pause) {
  let timer, last = 0;
  const ask = () => {
    timer ??= setTimeout(async () => {
      if (document.hidden) return (timer = setTimeout(() => ((timer = undefined), ask()), pause));
      last = Date.now();
      try {
        await task();
      } finally {
        timer = undefined;
      }
    }, Math.max(0, last + pause - Date.now()));
  };
  ask.end = () => clearTimeout(timer);
  return ask;
}

// Calls `task` every `pause` milliseconds while the page is seen. Returns a function that ends it.
export function every(pause, task) {
  const timer = setInterval(() => document.hidden || task(), pause);
  return () => clearInterval(timer);
}

// Tells `heard(name, data)` what happens to the jobs of the reader's tenant, or of the one that is named. Of all tenants,
// there is no stream; then it tells "reset" every five seconds. Returns a function that ends it.
export function listen({ tenant, job }, heard) {
  if (tenant === "*") return every(5000, () => heard("reset", {}));
  const query = new URLSearchParams(Object.entries({ tenant, job }).filter(([, value]) => value));
  return follow(String(query), heard);
}
