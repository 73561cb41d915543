// What the service runs on: its workers, the disk, Redis and the web process.

import { h } from "../core/dom.js";
import { bytes, count, timeElement } from "../core/format.js";
import { at } from "./router.js";

// The workers that are alive, each with what it is doing now.
export function workersTable(workers) {
  if (!workers.length) return h("div.notice.failed", {}, "No worker is alive. Jobs wait until one is started: arq quickthumb.worker.Settings");
  const heads = ["Worker", "Threads", "Memory", "Done", "Started", "Doing now"];
  return h("div.table-place", { tabindex: 0, role: "region", "aria-label": "Workers" }, h("table.workers", {}, h("thead", {}, h("tr", {}, heads.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, workers.map(row))));
}

function row(worker) {
  const { host, pid, id, version, threads, busy, stuck, memory_bytes: memory, jobs_done: done } = worker;
  const known = (value, written) => (value === null ? "–" : written(value));
  return h("tr", {}, h("th", { scope: "row" }, host ? `${host} · ${pid}` : id, version && h("div.muted", {}, `release ${version}`), worker.paused && h("div.paused", {}, `Paused: ${worker.paused}`)),
    h("td", {}, known(threads, (all) => `${busy} of ${all} busy`), stuck > 0 && h("div.paused", {}, `${stuck} stuck`)), h("td", {}, known(memory, bytes)), h("td", {}, known(done, count)),
    h("td", {}, known(worker.started_at, timeElement)), h("td", {}, worker.running.length ? h("ul.running", {}, worker.running.map(doing)) : h("span.muted", {}, "idle")));
}

function doing({ kind, id, attempt, since }) {
  const what = kind === "job" ? h("a", { href: at(`/jobs/${id}`) }, id.slice(0, 8)) : `${kind} ${id.slice(0, 8)}`;
  return h("li", {}, what, attempt > 1 && ` attempt ${attempt}`, " since ", timeElement(since));
}

// The cards of the disk, Redis and the web process.
export function machine({ disk, redis, web }) {
  return [disk ? diskCard(disk) : away("Disk", "The data folder cannot be used."), redis ? redisCard(redis) : away("Redis", "Redis cannot be reached."),
    card("Web process", [["Release", web.version], ["Machine", `${web.host} · ${web.pid}`], ["Started", timeElement(web.started_at)]])];
}

function diskCard({ total_bytes: total, free_bytes: free, reserved_bytes: reserved }) {
  const isLow = free < 2 * reserved;
  return card("Disk", [["Free", bytes(free)], ["Size", bytes(total)], ["Refuses uploads below", bytes(reserved)]], { meter: meter("Disk", total - free, total), bad: isLow && "The disk is almost full." });
}

function redisCard(redis) {
  const { used_memory_bytes: used, max_memory_bytes: most } = redis;
  const keeps = [redis.appends && "every change", redis.saves && "snapshots"].filter(Boolean).join(" and ") || "nothing";
  const bad = redis.writes_fail ? "It could not write to its disk." : redis.evicted_keys > 0 && "It threw keys away for want of memory.";
  const rows = [["Memory", most ? `${bytes(used)} of ${bytes(most)}` : `${bytes(used)}, no limit`], ["Clients", count(redis.connected_clients)], ["Writes to disk", keeps], ["Evicted keys", count(redis.evicted_keys)]];
  return card(`${redis.name} ${redis.version}`, rows, { meter: most && meter("Memory", used, most), bad });
}

function card(title, rows, { meter: bar, bad } = {}) {
  return h("div.card", {}, h("h3", {}, title), bar, bad && h("p.notice.failed", {}, bad), h("dl.facts-list", {}, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}

const away = (title, text) => h("div.card", {}, h("h3", {}, title), h("p.notice.failed", {}, text));

const meter = (name, value, max) => h("progress", { value, max, "aria-label": `${name}: ${Math.round((100 * value) / max)} % in use` });
