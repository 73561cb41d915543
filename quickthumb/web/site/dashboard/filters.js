// The filters above the list. They live in the query of the URL, so a filtered list can be sent to others.

import { call } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { count } from "../core/format.js";
import { operates } from "./rights.js";

const STATUSES = [["", "All"], ["WAITING", "Waiting"], ["IN_PROGRESS", "Working"], ["DONE", "Done"], ["FAILED", "Failed"], ["CANCELLED", "Cancelled"]];
const FORMATS = ["jpeg", "png", "webp", "avif", "gif", "tiff", "heif", "jxl", "bmp", "ico"];
const SPANS = [["3600", "Last hour"], ["86400", "Last 24 hours"], ["604800", "Last 7 days"]];

// The bar of filters that shows `query`. Calls `changed(query)` when the reader wants others, and `opened(id)` when they
// look for a job by its id. `bar.showCounts(jobs)` puts numbers on the statuses.
export function filterBar(query, session, { changed, opened }) {
  const now = new URLSearchParams(query);
  const set = (values) => {
    for (const [name, value] of Object.entries(values)) value ? now.set(name, value) : now.delete(name);
    refresh();
    changed(new URLSearchParams(now));
  };
  const tabs = h("div.statuses", { role: "group", "aria-label": "Status" }, STATUSES.map(([status, word]) =>
    h("button.plain", { type: "button", "data-status": status, onclick: () => set({ status }) }, word, h("span.count"))));
  const fields = [searchField(now, set, opened), formatField(now, set), errorField(now, set, session), textField(now, set, "tag", "Tag"),
    timeField(now, set), operates(session) && tenantField(now, set)];
  const clear = h("button.plain.clear", { type: "button", onclick: () => changed(new URLSearchParams(), { isNew: true }) }, "Clear filters");
  const more = h("button.more", { type: "button", "aria-expanded": "false", onclick: () => toggle() }, "Filters");
  const bar = h("div.filters", {}, h("div.above", {}, tabs, clear), h("div.fields", {}, fields[0], more, h("div.rest", {}, fields.slice(1))));
  const toggle = (is = !bar.classList.contains("is-open")) => {
    bar.classList.toggle("is-open", is);
    more.setAttribute("aria-expanded", String(is));
  };
  const refresh = () => {
    for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab.dataset.status === (now.get("status") ?? "")));
    const others = [...now.keys()].filter((name) => name !== "status").length;
    clear.hidden = others === 0 && !now.has("status");
  };
  refresh();
  toggle([...now.keys()].some((name) => !["status", "filename"].includes(name)));
  bar.showCounts = (jobs) => showCounts(tabs, jobs);
  return bar;
}

function showCounts(tabs, jobs) {
  for (const tab of tabs.children) {
    const { status } = tab.dataset;
    const number = jobs && (status ? (jobs[status] ?? 0) : Object.values(jobs).reduce((sum, one) => sum + one, 0));
    fill(tab.querySelector(".count"), jobs ? count(number) : "");
  }
}

function labelled(id, text, field, hint) {
  field.id = `filter-${id}`;
  return h("div.field", {}, h("label", { for: field.id }, text), field, hint);
}

function searchField(now, set, opened) {
  let timer, isOpened = false;
  const field = h("input", { type: "search", value: now.get("filename") ?? "", placeholder: "File name or job id", maxlength: 255, autocomplete: "off", spellcheck: "false" });
  const search = () => {
    clearTimeout(timer);
    // A field that leaves the page, because a job was opened, says "change" once more.
    if (!field.isConnected || isOpened) return;
    const text = field.value.trim();
    isOpened = /^[0-9a-f]{32}$/i.test(text);
    if (isOpened) opened(text.toLowerCase());
    else if (text !== (now.get("filename") ?? "")) set({ filename: text });
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 350);
  });
  field.addEventListener("change", search);
  const place = labelled("search", "Search", field);
  place.classList.add("search");
  return place;
}

function formatField(now, set) {
  const here = now.get("format") ?? "";
  const known = here && !FORMATS.includes(here) ? [here, ...FORMATS] : FORMATS;
  const field = h("select", { onchange: () => set({ format: field.value }) }, h("option", { value: "" }, "Any"),
    known.map((name) => h("option", { value: name, selected: name === here }, name.toUpperCase())));
  return labelled("format", "Format", field);
}

// Suggests the codes that occurred in the last week, once the field has the focus.
function errorField(now, set, session) {
  const list = h("datalist", { id: "error-codes" });
  const field = h("input", { value: now.get("error") ?? "", list: list.id, maxlength: 64, autocomplete: "off", spellcheck: "false", placeholder: "Any", onchange: () => set({ error: field.value.trim() }) });
  const suggest = async () => {
    const { failures } = await call("/failures?span=week").catch(() => ({ failures: [] }));
    fill(list, failures.map(({ code, title }) => h("option", { value: code }, title)));
  };
  if (operates(session)) field.addEventListener("focus", suggest, { once: true });
  return labelled("error", "Error code", field, list);
}

function textField(now, set, name, label) {
  const field = h("input", { value: now.get(name) ?? "", maxlength: 64, autocomplete: "off", spellcheck: "false", placeholder: "Any", onchange: () => set({ [name]: field.value.trim() }) });
  return labelled(name, label, field);
}

function timeField(now, set) {
  const isSet = now.has("after") || now.has("before");
  const field = h("select", {}, h("option", { value: "" }, "Any time"), SPANS.map(([seconds, word]) => h("option", { value: seconds }, word)),
    h("option", { value: "own", selected: isSet }, "From … to …"));
  const from = h("input", { type: "datetime-local", value: local(now.get("after")), "aria-label": "From", onchange: () => set({ after: utc(from.value) }) });
  const to = h("input", { type: "datetime-local", value: local(now.get("before")), "aria-label": "To", onchange: () => set({ before: utc(to.value) }) });
  const own = h("div.row", { hidden: !isSet }, from, to);
  field.addEventListener("change", () => {
    own.hidden = field.value !== "own";
    if (field.value !== "own") set({ before: "", after: field.value && new Date(Date.now() - 1000 * field.value).toISOString() });
  });
  return labelled("time", "Accepted", field, own);
}

function tenantField(now, set) {
  const place = textField(now, set, "tenant", "Tenant");
  place.querySelector("input").placeholder = "Yours; * for all";
  return place;
}

// The moment as the field wants it, in the reader's time zone, and back.
function local(time) {
  const moment = time && new Date(time);
  if (!moment || Number.isNaN(moment.getTime())) return "";
  return new Date(moment - 60000 * moment.getTimezoneOffset()).toISOString().slice(0, 16);
}

const utc = (text) => (text ? new Date(text).toISOString() : "");
