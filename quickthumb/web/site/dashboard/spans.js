// The choice between the last hour, day and week. It lives in the query of the URL.

import { h } from "../core/dom.js";
import { at, navigate } from "./router.js";

export const SPANS = { hour: "Last hour", day: "Last day", week: "Last week" };
export const SECONDS = { hour: 3600, day: 86400, week: 604800 };

// The span that the query names.
export function spanIn(query) {
  return query.get("span") in SPANS ? query.get("span") : "hour";
}

// The buttons that lead to the other spans of the view at `path`.
export function spanChoice(span, path) {
  const go = (name) => () => navigate(at(path, name === "hour" ? "" : new URLSearchParams({ span: name })), { replace: true });
  return h("div.spans", { role: "group", "aria-label": "Time" }, Object.entries(SPANS).map(([name, words]) =>
    h("button.plain", { type: "button", "aria-pressed": String(name === span), onclick: go(name) }, words)));
}
