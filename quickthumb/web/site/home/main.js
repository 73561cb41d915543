// The page `/`: puts its parts together.

import { read } from "../core/api.js";
import { copyButton } from "../core/copy.js";
import { fill, h } from "../core/dom.js";
import { start, toast } from "../core/shell.js";
import { intake } from "./intake.js";
import { add, all, onChange } from "./items.js";
import { comeBack, followJobs } from "./jobs.js";
import { imageList, makeAgain, unmade } from "./list.js";
import { panel } from "./panel.js";
import { copy, fromHash, START, toHash } from "./recipe.js";
import { samples } from "./samples.js";
import { newKey, pump } from "./upload.js";

const main = document.getElementById("main");
const session = await start("/");
fill(main, heading(), h("div.layout", { "aria-busy": "true" }, h("div.skeleton.zone-skeleton"), h("div.skeleton.recipe-skeleton")));
try {
  const [parameters, { presets }] = await Promise.all([read("/parameters"), read("/presets")]);
  run(parameters, new Map(Object.entries(presets)));
} catch (error) {
  fill(main, heading(), h("div.notice.failed", { role: "alert" }, h("p", {}, `The page cannot begin: ${error.message}`),
    error.status === 403 && h("p", {}, "Uploading needs a key with the scope images:write. To follow jobs and to see their results, it needs jobs:read and results:read, too."),
    h("button", { type: "button", onclick: () => location.reload() }, "Try again")));
}

function heading() {
  return h("div.lead", {}, h("h1", {}, "Upload an image, get every size"), h("p.muted", {}, "Choose what to make, add your pictures, and compare the results. The code below does the same from your program."));
}

function run(parameters, presets) {
  const schemas = { output: Object.assign({}, ...parameters.output.map((group) => group.parameters)), job: parameters.job };
  const fromLink = () => fromHash(location.hash, { parameters: schemas, presets });
  const { recipe: first, complaint } = fromLink();
  const state = { recipe: first, active: 0, pictures: [] };
  const notice = h("p.notice.warn", { role: "status", hidden: true });
  const code = samples(session.login === "done");
  const images = imageList(state, presets);
  const remake = h("button.primary", { type: "button", onclick: () => makeAgain(state.recipe) });
  const remaking = h("div.remaking", { hidden: true }, remake);
  const recipe = panel({ state, parameters, presets, changed, reset: () => replace(copy(START)), link: copyButton(() => location.href, "Copy link") });
  recipe.element.append(remaking);

  function changed() {
    history.replaceState(null, "", location.pathname + location.search + toHash(state.recipe));
    code.show(state.recipe);
    show();
  }

  function replace(made, said = null) {
    Object.assign(state, { recipe: made, active: 0 });
    notice.hidden = !said;
    notice.textContent = said ?? "";
    changed();
    recipe.showValues();
  }

  function show() {
    main.classList.toggle("has-items", all().length > 0);
    recipe.show(pictures());
    images.show();
    const count = unmade(state.recipe).length;
    remaking.hidden = !count;
    remake.textContent = count === 1 ? "Make again with this recipe" : `Make ${count} images again with this recipe`;
  }

  fill(main, heading(), h("div.layout", {}, h("div.flow", {}, notice, taking(state), images.element, h("section.code", {}, h("h2", {}, "The same from your code"), code.element)), recipe.element));
  replace(state.recipe, complaint);
  addEventListener("hashchange", () => {
    const link = fromLink();
    replace(link.recipe, link.complaint);
  });
  onChange(gathered(() => {
    show();
    followJobs();
  }));
  comeBack().catch((error) => toast(`The images of before cannot be shown: ${error.message}`, { kind: "warn" }));
}

// The drop zone; what comes in is uploaded with the recipe of that moment.
function taking(state) {
  const enter = (given) => {
    add({ ...given, recipe: copy(state.recipe), key: newKey(), total: given.file?.size ?? 0 });
    pump();
  };
  return intake({
    files: (files) => files.reverse().forEach((file) => enter({ name: file.name || "pasted image", file, preview: URL.createObjectURL(file) })),
    urls: (urls) => urls.reverse().forEach((url) => enter({ name: nameIn(url), url })),
  });
}

// Acts once for many calls at about the same time, such as the progress of several uploads.
function gathered(act) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      act();
    }, 16);
  };
}

// What a focal point can be picked on: the pictures that the page has, the newest first.
function pictures() {
  return all().map((item) => item.preview ?? (item.job?.status === "DONE" ? item.job.links.original : null)).filter(Boolean);
}

function nameIn(url) {
  const { pathname, host } = new URL(url);
  const last = pathname.split("/").filter(Boolean).pop() ?? "";
  try {
    return decodeURIComponent(last) || host;
  } catch {
    return last;
  }
}
