// Where the reader is: each view and each list with its filters has a URL of its own, which can be sent to others.

import { base } from "../core/api.js";

const ROOT = `${base}/dashboard`;
let arrived = () => {};
let settling;

// The URL of a view, such as at("/jobs/5f0c…") or at("", "status=FAILED").
export function at(path = "", query = "") {
  const text = String(query);
  return ROOT + path + (text && `?${text}`);
}

// The view and the query that the address bar names.
export function here() {
  const path = location.pathname.slice(ROOT.length).replace(/\/$/, "");
  return { path, query: new URLSearchParams(location.search) };
}

// Goes to a URL that `at` made. With `replace`, "back" will not lead to where the reader is now.
export function navigate(url, { replace = false } = {}) {
  if (replace) history.replaceState({}, "", url);
  else {
    keepScroll();
    history.pushState({}, "", url);
  }
  arrived({ scroll: replace ? scrollY : 0 });
}

// Changes the URL to what the view shows already, such as other filters. "Back" then leads to what it showed before.
export function rewrite(url) {
  keepScroll();
  history.pushState({}, "", url);
}

// Calls `listener` each time the reader comes somewhere: by a link, by navigate, or by "back" and "forward", which
// restore how far the reader had scrolled.
export function onArrival(listener) {
  arrived = listener;
  history.scrollRestoration = "manual";
  document.addEventListener("click", followLink);
  addEventListener("popstate", () => arrived({ scroll: history.state?.scroll ?? 0 }));
  addEventListener("scroll", () => {
    clearTimeout(settling);
    settling = setTimeout(keepScroll, 150);
  }, { passive: true });
}

function keepScroll() {
  clearTimeout(settling);
  history.replaceState({ ...history.state, scroll: scrollY }, "");
}

function followLink(event) {
  const link = event.target.closest?.("a[href]");
  const isPlain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  if (!link || !isPlain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
  const { origin, pathname, search, hash } = new URL(link.href);
  if (origin !== location.origin || hash || !(pathname === ROOT || pathname.startsWith(`${ROOT}/`))) return;
  event.preventDefault();
  navigate(pathname + search);
}
