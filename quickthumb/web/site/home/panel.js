// The recipe as controls: presets, outputs with their parameters, and what concerns the job as a whole.

import { fill, h } from "../core/dom.js";
import { control, label } from "./controls.js";
import { picker } from "./picker.js";
import { nameOf, summary } from "./recipe.js";
import { severalSizes } from "./sizes.js";

// Width and height say the same.
const HIDDEN = new Set(["size"]);

// `state` has `recipe` and `active`, the place of the output whose controls are shown. `changed()` hears of changes.
export function panel({ state, parameters, presets, changed, reset, link }) {
  const chips = h("div.chips");
  const outputs = h("div.outputs");
  const controls = new Map();
  const picking = picker((name, value) => set(name, value, true));
  const groups = h("div.groups", {}, parameters.output.map((group, place) => section(label(group.name), group.parameters, place === 0, "output")));
  const job = section("Job", parameters.job, false, "job");
  const sizes = severalSizes(parameters, (made) => {
    state.recipe.outputs = made;
    state.active = 0;
    changed();
  });
  groups.firstElementChild.querySelector(".controls").append(picking.element);

  function section(title, schemas, isOpen, kind) {
    const changes = h("span.count");
    const parts = Object.entries(schemas).filter(([name]) => !HIDDEN.has(name)).map(([name, schema]) => {
      const made = control(name, schema, (value) => (kind === "job" ? setJob(name, value) : set(name, value)));
      controls.set(`${kind}.${name}`, made);
      return made.element;
    });
    const element = h("details.group", { open: isOpen, "data-kind": kind }, h("summary", {}, h("span", {}, title), changes), h("div.controls", {}, parts));
    element.names = Object.keys(schemas);
    element.changes = changes;
    return element;
  }

  function set(name, value, isPicked) {
    const output = state.recipe.outputs[state.active];
    if (value === undefined) delete output[name];
    else output[name] = value;
    if (isPicked) controls.get(`output.${name}`)?.show(value);
    changed();
  }

  function setJob(name, value) {
    if (value === undefined) delete state.recipe.job[name];
    else state.recipe.job[name] = value;
    changed();
  }

  function choose(place) {
    state.active = place;
    showValues();
    show(state.pictures);
  }

  function add() {
    const names = new Set(state.recipe.outputs.map(({ name }) => name));
    let number = state.recipe.outputs.length + 1;
    while (names.has(`output-${number}`)) number++;
    state.recipe.outputs.push({ name: `output-${number}`, width: 640 });
    state.active = state.recipe.outputs.length - 1;
    changed();
    showValues();
  }

  function remove() {
    state.recipe.outputs.splice(state.active, 1);
    state.active = Math.max(0, state.active - 1);
    changed();
    showValues();
  }

  function togglePreset(name) {
    const { recipe } = state;
    recipe.presets = recipe.presets.includes(name) ? recipe.presets.filter((one) => one !== name) : [...recipe.presets, name];
    changed();
  }

  function drawChips() {
    fill(chips, [...presets].map(([name, made]) => h("button.chip", {
      type: "button", "aria-pressed": String(state.recipe.presets.includes(name)), title: made.map(summary).join(" · "), "data-preset": name, onclick: () => refocused(() => togglePreset(name), chips, name),
    }, name)));
  }

  // Buttons are made anew at each change; the one that was pressed gets its focus back.
  function refocused(act, place, name) {
    act();
    place.querySelector(`[data-preset="${CSS.escape(name)}"]`)?.focus();
  }

  function drawOutputs() {
    const list = state.recipe.outputs.map((output, place) => h("button.output", {
      type: "button", "aria-pressed": String(place === state.active), onclick: () => { choose(place); outputs.children[place].focus(); },
    }, h("b", {}, nameOf(output, place, state.recipe.outputs)), h("span", {}, summary(output))));
    fill(outputs, list, h("button.add", { type: "button", onclick: () => { add(); outputs.children[state.active].focus(); } }, "+ Add output"));
    removing.hidden = !state.recipe.outputs.length || (state.recipe.outputs.length === 1 && !state.recipe.presets.length);
    groups.hidden = !state.recipe.outputs.length;
  }

  function showValues() {
    const output = state.recipe.outputs[state.active] ?? {};
    for (const [key, one] of controls) {
      const [kind, name] = key.split(".");
      one.show((kind === "job" ? state.recipe.job : output)[name]);
    }
  }

  function count(element) {
    const values = element.dataset.kind === "job" ? state.recipe.job : state.recipe.outputs[state.active] ?? {};
    const number = element.names.filter((name) => name in values).length;
    element.changes.textContent = number ? `${number} set` : "";
  }

  const removing = h("button.plain", { type: "button", onclick: () => { remove(); outputs.lastElementChild.focus(); } }, "Remove this output");

  // `pictures` are URLs of what can be picked on, the newest first.
  function show(pictures) {
    state.pictures = pictures;
    drawChips();
    drawOutputs();
    for (const element of [...groups.children, job]) count(element);
    picking.show(pictures, state.recipe.outputs[state.active] ?? {});
  }

  const element = h("aside.recipe", { "aria-labelledby": "recipe-title" },
    h("div.recipe-head", {}, h("h2", { id: "recipe-title" }, "What to make"), h("div.row", {}, link, h("button.plain", { type: "button", onclick: reset }, "Reset"))),
    presets.size > 0 && h("div.block", {}, h("h3.label", {}, "Presets"), chips),
    h("div.block", {}, h("h3.label", {}, "Outputs"), outputs, sizes),
    h("div", {}, groups, removing, job));
  showValues();
  return { element, show, showValues };
}
