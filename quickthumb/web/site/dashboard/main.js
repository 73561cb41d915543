// The dashboard: shows the view that the path names, below a line of links to all of them.
//
// A view is a module with `show(main, { params, query, session })`, which fills `main` and returns a function that ends
// it: closes its streams, stops its timers. `params` are the parts of the path that its pattern captures.

import { fill, h } from "../core/dom.js";
import { start } from "../core/shell.js";
import { show as showFailures } from "./failures.js";
import { show as showJob } from "./detail.js";
import { askEarly, filtersIn } from "./jobs.js";
import { show as showJobs } from "./list.js";
import { show as showKeys } from "./keys.js";
import { show as showPresets } from "./presets.js";
import { show as showSystem } from "./system.js";
import { show as showWebhooks } from "./webhooks.js";
import { may, operates } from "./rights.js";
import { at, here, onArrival } from "./router.js";

const VIEWS = [
  { name: "Jobs", path: "", pattern: /^(?:\/jobs)?$/, show: showJobs, isFor: (session) => may(session, "jobs:read") },
  { name: "Job", pattern: /^\/jobs\/([0-9a-f]{32})$/, below: "", show: showJob, isFor: (session) => may(session, "jobs:read") },
  { name: "Failures", path: "/failures", pattern: /^\/failures$/, show: showFailures, isFor: operates },
  { name: "Webhooks", path: "/webhooks", pattern: /^\/webhooks$/, show: showWebhooks, isFor: (session) => may(session, "webhooks") },
  { name: "Presets", path: "/presets", pattern: /^\/presets$/, show: showPresets, isFor: (session) => may(session, "images:write") },
  { name: "Keys", path: "/keys", pattern: /^\/keys$/, show: showKeys, isFor: (session) => may(session, "admin") },
  { name: "System", path: "/system", pattern: /^\/system$/, show: showSystem, isFor: operates },
];

async function run() {
  const main = document.getElementById("main");
  if (VIEWS[0].pattern.test(here().path)) askEarly(filtersIn(here().query));
  const session = await start("/dashboard");
  const tabs = h("nav.tabs", { "aria-label": "Dashboard" });
  const content = h("div.view");
  const open = VIEWS.filter((view) => view.isFor(session));
  fill(main, tabs, content);
  let end = () => {};
  const arrive = ({ scroll }) => {
    end();
    const { path, query } = here();
    const view = VIEWS.find(({ pattern }) => pattern.test(path));
    fill(tabs, open.filter((one) => one.path !== undefined).map((one) => tab(one, view)));
    end = shown(fill(content), view, { params: view?.pattern.exec(path).slice(1) ?? [], query, session }) ?? (() => {});
    scrollTo(0, scroll);
  };
  onArrival((place) => {
    arrive(place);
    if (!content.contains(document.activeElement)) main.focus({ preventScroll: true });
  });
  arrive({ scroll: 0 });
}

function shown(content, view, context) {
  document.title = `${view?.name ?? "Not found"} · Dashboard · QuickThumb`;
  if (!view) return say(content, "There is no such page.", "Go to the jobs");
  if (!view.isFor(context.session)) return say(content, "Your API key may not see this page.", "Go to the jobs");
  return view.show(content, context);
}

function say(content, text, link) {
  fill(content, h("div.empty", {}, h("p", {}, text), h("p", {}, h("a", { href: at() }, link))));
}

function tab({ name, path }, view) {
  const isHere = view && (view.path ?? view.below) === path;
  return h("a", { href: at(path), "aria-current": isHere && "page" }, name);
}

run();
