// The recipe as controls: presets and outputs, the parameters of the chosen output, and what concerns the job as a whole.

import { h } from "../core/dom.js";
import { control, label } from "./controls.js";
import { outputList, presetChips } from "./outputs.js";
import { picker } from "./picker.js";
import { nameOf } from "./recipe.js";
import { severalSizes } from "./sizes.js";

// Width and height say the same.
const HIDDEN = new Set(["size"]);

// `state` has `recipe`, and `active`, the place of the output whose controls are shown. `changed()` hears of changes.
// Returns { element, show(pictures), showValues() }: the former after a change, the latter after another recipe came.
export function panel({ state, parameters, presets, changed, reset, link }) {
  const output = () => state.recipe.outputs[state.active];
  const job = section("Job", parameters.job, () => state.recipe.job, changed);
  const parts = parameters.output.map((group, place) => section(label(group.name), group.parameters, () => output() ?? {}, changed, place === 0));
  const picking = picker((name, value) => {
    put(output(), name, value);
    parts.forEach((part) => part.showValue(name));
    changed();
  });
  parts[0].controls.append(picking.element);
  const title = h("h3.label");
  const list = outputList(state, () => {
    changed();
    showValues();
  });
  const remove = h("button.plain", { type: "button", onclick: () => list.remove() }, "Remove");
  const own = h("div", {}, h("div.group-head", {}, title, remove), parts.map((part) => part.element));
  const chips = presetChips(state, presets, () => {
    changed();
    showValues();
  });
  const sizes = severalSizes(parameters, (outputs) => list.replace(outputs));

  const showValues = () => [...parts, job].forEach((part) => part.showValues());
  function show(pictures) {
    const { presets: chosen, outputs } = state.recipe;
    chips.show();
    list.show();
    [...parts, job].forEach((part) => part.showCount());
    own.hidden = !outputs.length;
    remove.hidden = outputs.length + chosen.length < 2;
    if (output()) title.textContent = `Output ${nameOf(output(), state.active, outputs)}`;
    picking.show(pictures, output() ?? {});
  }

  const head = h("div.recipe-head", {}, h("h2", { id: "recipe-title" }, "What to make"), h("div.row", {}, link, h("button.plain", { type: "button", onclick: reset }, "Reset")));
  const element = h("aside.recipe", { "aria-labelledby": "recipe-title" }, head,
    presets.size > 0 && h("div.block", {}, h("h3.label", {}, "Presets"), chips.element),
    h("div.block", {}, h("h3.label", {}, "Outputs"), list.element, sizes),
    h("div", {}, own, job.element));
  showValues();
  return { element, show, showValues };
}

function put(values, name, value) {
  if (value === undefined) delete values[name];
  else values[name] = value;
}

// The controls of a group of parameters; `values()` are those that they show and change.
function section(title, schemas, values, changed, isOpen = false) {
  const count = h("span.count");
  const made = new Map(Object.entries(schemas).filter(([name]) => !HIDDEN.has(name)).map(([name, schema]) => [name, control(name, schema, (value) => {
    put(values(), name, value);
    changed();
  })]));
  const controls = h("div.controls", {}, [...made.values()].map((one) => one.element));
  return {
    element: h("details.group", { open: isOpen }, h("summary", {}, h("span", {}, title), count), controls),
    controls,
    showValue: (name) => made.get(name)?.show(values()[name]),
    showValues: () => made.forEach((one, name) => one.show(values()[name])),
    showCount() {
      const number = [...made.keys()].filter((name) => name in values()).length;
      count.textContent = number ? `${number} set` : "";
    },
  };
}
