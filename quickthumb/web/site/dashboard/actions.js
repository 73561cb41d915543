// Cancels, retries and deletes: selected jobs, or all that the filters select. Each says before how many jobs it concerns.

import { fill, h } from "../core/dom.js";
import { count as number } from "../core/format.js";
import { confirmed, toast } from "../core/shell.js";
import { applyTo, applyToAll, countFor, VERBS } from "./jobs.js";

const jobs = (count, of = "") => `${number(count)} ${of}${of && " "}${count === 1 ? "job" : "jobs"}`;

// The buttons for these jobs: one for each verb that fits one of them. `after()` is called when something was done.
export function buttonsFor(chosen, { tenant, after }) {
  return Object.entries(VERBS).filter(([, verb]) => chosen.some((job) => fits(job, verb))).map(([name, verb]) =>
    h(verb.danger ? "button.danger" : "button", { type: "button", "data-verb": name, onclick: () => act(chosen, verb, { tenant, after }) }, verb.label));
}

const fits = (job, verb) => verb.statuses.includes(null) || verb.statuses.includes(job.status);

async function act(chosen, verb, { tenant, after }) {
  try {
    const count = await applyTo(chosen, verb, { isDry: true, tenant });
    if (count === 0) return toast(`None of these jobs can be ${verb.done} any more.`);
    if (!(await confirmed(question(verb, count, chosen.length), { action: `${verb.label} ${jobs(count)}`, danger: verb.danger }))) return;
    const done = await applyTo(chosen, verb, { tenant });
    toast(`${jobs(done)} ${verb.done}.`);
    after(verb);
  } catch (error) {
    toast(error.message, { kind: "failed" });
  }
}

function question(verb, count, chosen) {
  const rest = count < chosen ? ` The other ${number(chosen - count)} stay as they are.` : "";
  if (verb.danger) return `Delete ${jobs(count)} with all files? This cannot be undone.${rest}`;
  return `${verb.label} ${jobs(count, verb.of)}?${rest}`;
}

// Asks what to do with all jobs that the filters select, says how many each verb concerns, and does it.
export async function actOnAll(filters, { after }) {
  const stop = new AbortController();
  const upToNow = new URLSearchParams(filters);
  if (!upToNow.has("before")) upToNow.set("before", new Date().toISOString());
  const choices = Object.values(VERBS).map((verb) => choice(verb, upToNow));
  const body = h("div.choices", {}, choices.map(({ element }) => element));
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const dialog = h("dialog.all", { "aria-labelledby": "all-title", onclose: () => (stop.abort(), dialog.remove()) },
    h("h2", { id: "all-title" }, "All jobs that match"), h("p.muted", {}, described(filters)), body, h("div.row", {}, close));
  document.body.append(dialog);
  dialog.showModal();
  for (const { element, verb, counted } of choices) {
    element.addEventListener("click", () => doIt(verb, upToNow, { body, close, dialog, after, total: element.total, signal: stop.signal }));
    counted(stop.signal);
  }
}

function choice(verb, filters) {
  const element = h(verb.danger ? "button.danger" : "button", { type: "button", disabled: true }, `${verb.label}: counting …`);
  const counted = async (signal) => {
    try {
      const { count } = await countFor(filters, verb, signal);
      element.total = count;
      element.disabled = count === 0;
      fill(element, count ? `${verb.label} ${jobs(count, verb.of)}` : `Nothing to ${verb.label.toLowerCase()}`);
    } catch (error) {
      if (!signal.aborted) fill(element, `${verb.label}: ${error.message}`);
    }
  };
  return { element, verb, counted };
}

async function doIt(verb, filters, { body, close, dialog, after, total, signal }) {
  const bar = h("progress", { max: total, value: 0, "aria-label": verb.doing });
  const line = h("p", { role: "status" }, `${verb.doing} …`);
  fill(body, line, bar);
  close.textContent = "Stop";
  let done = 0;
  try {
    done = await applyToAll(filters, verb, { signal, progress: (count) => {
      bar.value = count;
      line.textContent = `${verb.doing}: ${number(count)} of ${number(total)}`;
    } });
    toast(`${jobs(done)} ${verb.done}.`);
  } catch (error) {
    toast(error.message, { kind: "failed" });
  }
  dialog.close();
  after(verb);
}

// The filters in words: "failed · error broken_image · until now".
function described(filters) {
  const parts = [...filters].map(([name, value]) => (name === "status" ? value.toLowerCase().replace("_", " ") : `${name} ${value}`));
  return parts.length ? parts.join(" · ") : "There is no filter: these are all jobs accepted until now.";
}
