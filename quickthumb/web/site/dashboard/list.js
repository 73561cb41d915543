// The jobs, newest first: live, filtered, with their pictures.

import { call } from "../core/api.js";
import { fill, h, reconcile } from "../core/dom.js";
import { count, timeElement } from "../core/format.js";
import { actOnAll, buttonsFor } from "./actions.js";
import { filterBar } from "./filters.js";
import { filtersIn, page } from "./jobs.js";
import { listen, paced } from "./live.js";
import { may, operates } from "./rights.js";
import { at, navigate, rewrite } from "./router.js";
import { makeRow, updateRow } from "./row.js";

// How many empty pages to pass before the reader is asked whether to go on.
const MOST_EMPTY = 4;
// How many rows may gather before the list begins anew with the first page.
const MOST_ROWS = 300;
// What was shown last, so that "back" shows it at once, where the reader had scrolled to.
let kept = null;

export function show(main, { query, session }) {
  const list = new JobList(main, filtersIn(query), session);
  list.begin();
  return () => list.end();
}

class JobList {
  constructor(main, filters, session) {
    Object.assign(this, { main, session, selected: new Set(), stop: () => {} });
    this.refresh = paced(() => this.lookForNew(), 1000);
    this.countAgain = paced(() => this.showCounts(), 5000);
    this.take(filters);
    this.element = h("ul.jobs", { "aria-label": "Jobs" });
    this.total = h("span.muted");
    this.news = h("button.news", { type: "button", hidden: true, onclick: () => this.showNew() });
    this.foot = h("div.foot");
    this.bulk = h("div.bulk", { role: "region", "aria-label": "Selected jobs", hidden: true });
    this.bar = filterBar(filters, session, { changed: (wanted, { isNew = false } = {}) => this.change(wanted, isNew), opened: (id) => navigate(at(`/jobs/${id}`)) });
    const all = may(session, "jobs:write") && h("button.plain", { type: "button", onclick: () => this.actOnAll() }, "Act on all that match …");
    fill(main, h("div.title", {}, h("h1", {}, "Jobs"), this.total, all), this.bar, h("div.news-place", { "aria-live": "polite" }, this.news), this.element, this.foot, this.bulk);
  }

  take(filters) {
    Object.assign(this, { filters, key: String(filters), tenant: filters.get("tenant"), jobs: [], fresh: [], begun: null, cursor: null, isLoaded: false });
  }

  begin() {
    this.stop = listen({ tenant: this.tenant }, (name, data) => this.hear(name, data));
    this.showCounts();
    if (kept?.key !== this.key) return this.load();
    Object.assign(this, { jobs: kept.jobs, cursor: kept.cursor, isLoaded: true });
    this.draw();
    this.refresh();
  }

  end() {
    this.stop();
    this.refresh.end();
    this.countAgain.end();
    this.loading?.abort();
    if (this.isLoaded) kept = { key: this.key, jobs: this.jobs, cursor: this.cursor };
  }

  change(filters, isNew) {
    if (isNew) return navigate(at("", filters));
    rewrite(at("", filters));
    this.stop();
    this.selected.clear();
    this.take(filters);
    this.news.hidden = true;
    this.stop = listen({ tenant: this.tenant }, (name, data) => this.hear(name, data));
    this.load();
  }

  // Loads the first page, or the one after `cursor`. Pages of a search may be short or empty though there are more.
  async load(cursor = null) {
    this.loading?.abort();
    const { signal } = (this.loading = new AbortController());
    if (!cursor) this.drawWaiting();
    else fill(this.foot, h("p.muted", { role: "status" }, "Loading …"));
    try {
      const found = [];
      let answer, tries = 0;
      do {
        answer = await page(this.filters, { cursor, signal });
        found.push(...answer.jobs);
        cursor = answer.cursor;
      } while (cursor && found.length === 0 && ++tries < MOST_EMPTY);
      if (signal.aborted) return;
      Object.assign(this, { jobs: [...this.jobs, ...found], cursor, lookedBackTo: answer.looked_back_to, isLoaded: true });
      this.total.textContent = answer.total === null ? "" : count(answer.total);
      this.draw();
    } catch (error) {
      if (!signal.aborted) this.drawError(error);
    }
  }

  // Merges what is new on the first page into the list, or says how much there is, if the reader has gone on.
  async lookForNew() {
    if (!this.isLoaded) return;
    const { key } = this;
    const answer = await page(this.filters).catch(() => null);
    if (!answer || key !== this.key) return;
    if (answer.total !== null) this.total.textContent = count(answer.total);
    const known = new Map([...this.fresh, ...this.jobs].map((job) => [job.id, job]));
    const newest = answer.jobs.filter(({ id }) => !known.has(id));
    for (const job of answer.jobs) this.replace(job);
    const isAtTop = scrollY < 120 && this.selected.size === 0;
    // With more new jobs than a page has, nobody knows what lies between; and a list that stays open must not grow forever.
    const isApart = answer.cursor !== null && newest.length === answer.jobs.length && known.size > 0;
    if (isApart || this.fresh.length > MOST_ROWS || (isAtTop && this.jobs.length > MOST_ROWS)) this.begun = answer;
    this.fresh = this.begun === answer ? answer.jobs : [...newest, ...this.fresh];
    if (isAtTop) this.showNew();
    else this.draw();
  }

  // Shows the new jobs: in front of the others, or in place of them if there are too many.
  showNew() {
    const isAsked = !this.news.hidden;
    if (this.begun) this.cursor = this.begun.cursor;
    this.jobs = this.begun ? this.fresh : [...this.fresh, ...this.jobs];
    Object.assign(this, { fresh: [], begun: null });
    this.draw();
    if (isAsked) scrollTo(0, 0);
  }

  hear(name, data) {
    if (name === "snapshot") return;
    this.countAgain();
    const known = this.jobs.find(({ id }) => id === data.id);
    if (name === "job.removed") this.forget([data.id]);
    else if (!known) this.refresh();
    else if (data.links) this.replace({ ...known, ...data });
    else if (data.status) this.replace({ ...known, status: data.status, attempts: data.attempt ?? known.attempts });
    this.drawSoon();
  }

  replace(job) {
    const place = this.jobs.findIndex(({ id }) => id === job.id);
    if (place >= 0) this.jobs[place] = job;
  }

  forget(ids) {
    const gone = new Set(ids);
    this.jobs = this.jobs.filter(({ id }) => !gone.has(id));
    this.fresh = this.fresh.filter(({ id }) => !gone.has(id));
    for (const id of ids) this.selected.delete(id);
  }

  // Many events come at once; the list is drawn once for all that came before the next frame.
  drawSoon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      if (this.isLoaded) this.draw();
    });
  }

  draw() {
    const { tenant, selected } = this;
    const chosen = may(this.session, "jobs:write") ? (id, is, event) => this.choose(id, is, event) : null;
    this.element.removeAttribute("aria-busy");
    reconcile(this.element, this.jobs, { key: (job) => job.id, make: (job) => makeRow(job, { tenant, chosen }), update: (row, job) => updateRow(row, job, { tenant, selected }) });
    this.news.hidden = this.fresh.length === 0;
    this.news.textContent = `${count(this.fresh.length)}${this.begun ? " or more" : ""} new`;
    this.element.hidden = this.jobs.length === 0;
    fill(this.foot, this.footer());
    this.drawBulk();
  }

  footer() {
    if (this.cursor && this.lookedBackTo) return [h("p.muted.small", {}, "Searched back to ", timeElement(this.lookedBackTo)), this.older("Search further back")];
    if (this.cursor) return this.older("Older jobs");
    if (this.jobs.length) return null;
    if (this.key) return h("div.empty", {}, h("p", {}, "No job matches these filters."), h("button", { type: "button", onclick: () => navigate(at()) }, "Clear filters"));
    return h("div.empty", {}, h("p", {}, "There are no jobs yet. They appear here as soon as an image is uploaded."), h("a.button", { href: at().replace(/dashboard$/, "") }, "Upload an image"));
  }

  older(text) {
    return h("button", { type: "button", onclick: () => this.load(this.cursor) }, text);
  }

  // Until the first page is there: what was shown before, faded; or rows without content.
  drawWaiting() {
    this.element.setAttribute("aria-busy", "true");
    if (this.element.childElementCount && !this.element.hidden) return;
    this.element.hidden = false;
    fill(this.element, Array.from({ length: 8 }, () => h("li.job.is-waiting", { "aria-hidden": "true" }, h("span.thumb.skeleton"), h("div.what", {}, h("span.skeleton", {}, "A file's name.jpg"), h("br"), h("span.skeleton.small", {}, "JPEG and so on")))));
    fill(this.foot);
  }

  drawError(error) {
    this.element.removeAttribute("aria-busy");
    if (!this.jobs.length) fill(this.element);
    fill(this.foot, h("div.notice.failed", { role: "alert" }, h("p", {}, error.message), h("button", { type: "button", onclick: () => this.load(this.cursor) }, "Try again")));
  }

  // With the shift key, selects all between the last one and this one.
  choose(id, is, event) {
    const ids = this.jobs.map((job) => job.id);
    const [from, to] = [ids.indexOf(event.shiftKey && this.last ? this.last : id), ids.indexOf(id)].sort((a, b) => a - b);
    for (const one of ids.slice(Math.max(0, from), to + 1)) is ? this.selected.add(one) : this.selected.delete(one);
    this.last = id;
    this.draw();
  }

  drawBulk() {
    const chosen = this.jobs.filter(({ id }) => this.selected.has(id));
    this.bulk.hidden = chosen.length === 0;
    if (!chosen.length) return;
    const all = h("button.plain", { type: "button", onclick: () => (this.jobs.forEach(({ id }) => this.selected.add(id)), this.draw()) }, `Select all ${count(this.jobs.length)} shown`);
    const none = h("button.plain", { type: "button", onclick: () => (this.selected.clear(), this.draw()) }, "Select none");
    const after = (verb) => {
      if (verb.danger) this.forget(chosen.map(({ id }) => id));
      this.selected.clear();
      this.draw();
      this.refresh();
    };
    fill(this.bulk, h("strong", { role: "status" }, `${count(chosen.length)} selected`), h("div.row", {}, buttonsFor(chosen, { tenant: this.tenant, after })), h("div.row.end", {}, chosen.length < this.jobs.length && all, none));
  }

  actOnAll() {
    actOnAll(this.filters, { after: () => (this.selected.clear(), (this.jobs = []), this.load()) });
  }

  async showCounts() {
    if (!operates(this.session) || (this.tenant && this.tenant !== "*")) return this.bar.showCounts(null);
    const stats = await call("/stats").catch(() => null);
    if (stats) this.bar.showCounts([...this.filters.keys()].every((name) => name === "status") ? stats.jobs : null);
  }
}
