// The list of images with what can be done to them, one by one or all together.

import { call, Problem } from "../core/api.js";
import { fill, h, reconcile } from "../core/dom.js";
import { confirmed, toast } from "../core/shell.js";
import { card, update } from "./card.js";
import { compare } from "./compare.js";
import { saveAll } from "./download.js";
import { all, drop, jobIs } from "./items.js";
import { asJson, copy, nameOf } from "./recipe.js";
import { again, cancelUpload, derive } from "./upload.js";

const isDone = (item) => item.job?.status === "DONE";
const sameRecipe = (one, other) => Boolean(one) && JSON.stringify(asJson(one)) === JSON.stringify(asJson(other));

// `state.recipe` is what the page would make now. Returns { element, show() }.
export function imageList(state, presets) {
  const bar = h("div.items-bar");
  const items = h("div.items");
  const acts = {
    cancelUpload, again, drop,
    open: (item, name) => compare(item, name, (one, result) => outputOf(one, result, presets)),
    make: (item) => derive(item, copy(state.recipe)),
    download: (item) => downloadAll([item]),
    cancel: (item) => verb(item, () => call(`/jobs/${item.job.id}/cancel`, { method: "POST" })),
    retry: (item) => verb(item, () => call(`/jobs/${item.job.id}/retry`, { method: "POST" })),
    remove,
  };
  const isOld = (item) => isDone(item) && !sameRecipe(item.recipe, state.recipe);
  return {
    element: h("section.list", { "aria-label": "Images" }, bar, items),
    show() {
      reconcile(items, all(), { key: (item) => item.id, make: (item) => card(item, acts), update: (element, item) => update(element, item, isOld(item)) });
      showBar(bar);
    },
  };
}

function showBar(bar) {
  const done = all().filter(isDone);
  const words = `${all().length === 1 ? "1 image" : `${all().length} images`}, ${done.length} done`;
  bar.hidden = !all().length;
  if (bar.dataset.words === words) return;
  bar.dataset.words = words;
  fill(bar, h("h2", {}, "Images"), h("p.muted.small", { role: "status" }, words), h("div.row", {},
    done.length > 0 && h("button", { type: "button", onclick: (event) => downloadAll(all().filter(isDone), event.target) }, "Download all (ZIP)"),
    h("button.plain", { type: "button", title: "The service keeps what it has made", onclick: clear }, "Clear the list")));
}

// Images of which nothing has been made with the recipe yet: the newest item of each.
export function unmade(recipe) {
  const groups = new Map();
  for (const item of all().filter((one) => one.job)) {
    const image = item.job.source.sha256 ?? item.job.id;
    groups.set(image, [...(groups.get(image) ?? []), item]);
  }
  return [...groups.values()].filter((items) => !items.some((item) => sameRecipe(item.recipe, recipe))).map((items) => items.find(isDone)).filter(Boolean);
}

export const makeAgain = (recipe) => unmade(recipe).forEach((item) => derive(item, copy(recipe)));

// The parameters that made a result, if the page knows them.
function outputOf({ recipe }, name, presets) {
  if (!recipe) return null;
  const own = recipe.outputs.find((output, place, outputs) => nameOf(output, place, outputs) === name);
  return own ?? recipe.presets.flatMap((preset) => presets.get(preset) ?? []).find((output) => output.name === name) ?? null;
}

async function remove(item) {
  const question = `Delete ${item.name}, with all that was made of it, from the service? This cannot be undone.`;
  if (!(await confirmed(question, { action: "Delete", danger: true }))) return;
  await verb(item, async () => {
    await call(`/jobs/${item.job.id}`, { method: "DELETE" });
    drop(item);
  });
}

// Does something to the job of an item, and shows what the service says then.
async function verb(item, act) {
  try {
    const job = await act();
    if (job?.id) jobIs(item, job);
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return drop(item);
    toast(error.message, { kind: "failed" });
  }
}

function clear() {
  for (const item of [...all()]) {
    if (["queued", "sending", "paused"].includes(item.phase)) cancelUpload(item);
    drop(item);
  }
}

async function downloadAll(items, button) {
  const word = button?.textContent;
  try {
    await saveAll(items, (done, total) => button && (button.textContent = `${done + 1} of ${total} …`));
  } catch (error) {
    toast(`The download failed: ${error.message}`, { kind: "failed" });
  } finally {
    if (button) button.textContent = word;
  }
}
