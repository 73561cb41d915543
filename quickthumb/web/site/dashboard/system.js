// How the service is doing: the queue, the pace, the workers, the disk and Redis; now and over the last hour, day or week.

import { call, read } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { count, duration, number } from "../core/format.js";
import { chart } from "./chart.js";
import { every } from "./live.js";
import { machine, workersTable } from "./machines.js";
import { SECONDS, spanChoice, spanIn } from "./spans.js";

const seconds = (value) => (value === 0 ? "0" : duration(value));

export function show(main, { query }) {
  const system = new System(main, spanIn(query));
  system.begin();
  return () => system.end();
}

class System {
  constructor(main, span) {
    Object.assign(this, { span, isOver: false });
    this.tiles = h("dl.tiles", {}, ["Waiting", "Oldest", "Jobs per second", "Waiting time", "Working time", "Failed", "Workers"].map((name) => tile(name)));
    this.charts = [
      chart({ title: "Jobs per second", series: [{ key: "jobs_per_second", name: "ended", tone: "main" }, { key: "failed_per_second", name: "failed", tone: "bad" }], format: number }),
      chart({ title: "Queue", series: [{ key: "queued", name: "in the queue", tone: "main" }], format: number, least: 2 }),
      chart({ title: "Waiting time", series: [{ key: "waiting_p50", name: "median", tone: "main" }, { key: "waiting_p95", name: "95 %", tone: "more" }], format: seconds }),
      chart({ title: "Working time", series: [{ key: "working_p50", name: "median", tone: "main" }, { key: "working_p95", name: "95 %", tone: "more" }], format: seconds }),
      chart({ title: "Oldest waiting job", series: [{ key: "oldest_waiting_seconds", name: "age", tone: "main" }], format: seconds }),
      chart({ title: "Workers", series: [{ key: "workers", name: "that take jobs", tone: "main" }], format: number, least: 2 }),
    ];
    this.workers = h("div", {}, h("div.skeleton", {}, "Workers"));
    this.machines = h("div.machines", {}, [1, 2, 3].map(() => h("div.skeleton.machine")));
    this.trouble = h("div", { role: "status" });
    fill(main, h("div.title", {}, h("h1", {}, "System"), spanChoice(span, "/system")), this.trouble, this.tiles,
      h("section", {}, h("h2.visually-hidden", {}, "Charts"), h("div.charts", {}, this.charts)), h("section", {}, h("h2", {}, "Workers"), this.workers), h("section", {}, h("h2", {}, "Disk and Redis"), this.machines));
  }

  begin() {
    this.load(["stats", "history", "workers", "system"]);
    const stops = [every(3000, () => this.load(["stats", "workers"])), every(15000, () => this.load(["history", "system"]))];
    this.end = () => {
      this.isOver = true;
      for (const stop of stops) stop();
    };
  }

  async load(names) {
    const paths = { stats: "/stats", history: `/stats/history?span=${this.span}`, workers: "/workers", system: "/system" };
    try {
      await Promise.all(names.map(async (name) => {
        const answer = await (this[`${name}Known`] ? call : read)(paths[name]);
        this[`${name}Known`] = true;
        if (!this.isOver) this[`show_${name}`](answer);
      }));
      fill(this.trouble);
    } catch (error) {
      if (!this.isOver && error.code !== "lost") fill(this.trouble, h("div.notice.failed", {}, h("p", {}, error.message), h("button", { type: "button", onclick: () => this.load(names) }, "Try again")));
    }
  }

  show_stats(stats) {
    const now = stats[this.span];
    const times = ({ p50, p95 }) => (p50 === null ? ["–", "nothing known"] : [seconds(p50), `95 %: ${seconds(p95)}`]);
    const share = now.done + now.failed ? now.failed / (now.done + now.failed) : 0;
    const values = [
      [count(stats.jobs.WAITING ?? 0), `${count(stats.jobs.IN_PROGRESS ?? 0)} being worked on`],
      [stats.jobs.WAITING ? seconds(stats.oldest_waiting_seconds) : "–", stats.jobs.WAITING ? "waiting now" : "nobody waits"],
      [number(now.jobs_per_second), `${count(now.done)} done`], times(now.waiting_seconds), times(now.working_seconds),
      [count(now.failed), `${new Intl.NumberFormat(navigator.languages, { style: "percent", maximumFractionDigits: 1 }).format(share)} of all`],
      [count(stats.workers), stats.workers ? "take jobs" : "No worker takes jobs!"],
    ];
    [...this.tiles.children].forEach((place, number) => place.put(...values[number]));
    this.tiles.lastChild.classList.toggle("is-bad", !stats.workers);
    this.tiles.children[5].classList.toggle("is-bad", now.failed > 0);
  }

  show_history({ points, slot_seconds: slotSeconds }) {
    const to = Date.now();
    for (const point of points) point.failed_per_second = point.seconds ? point.failed / point.seconds : 0;
    for (const one of this.charts) one.show(points, { from: to - 1000 * SECONDS[this.span], to, slotSeconds });
  }

  show_workers({ workers }) {
    const text = JSON.stringify(workers.map((worker) => ({ ...worker, last_seen: null })));
    if (text === this.workersShown) return;
    this.workersShown = text;
    fill(this.workers, workersTable(workers));
  }

  show_system(system) {
    fill(this.machines, machine(system));
  }
}

function tile(name) {
  const value = h("dd", {}, h("span.skeleton", {}, "000")), more = h("dd.small.muted", {}, h("span.skeleton", {}, "more of it"));
  return Object.assign(h("div.tile", {}, h("dt", {}, name), value, more), { put: (text, rest) => {
    value.textContent = text;
    more.textContent = rest;
  } });
}
