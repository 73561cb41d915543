// Which outputs are made: presets to switch on, and outputs of one's own to add, choose and remove.

import { fill, h } from "../core/dom.js";
import { copy, nameOf, START, summary } from "./recipe.js";

export function presetChips(state, presets, changed) {
  const buttons = new Map([...presets].map(([name, outputs]) => [name, h("button.chip", {
    type: "button", title: outputs.map(summary).join(" · "), onclick: () => toggle(name),
  }, name)]));

  function toggle(name) {
    const { recipe } = state;
    recipe.presets = recipe.presets.includes(name) ? recipe.presets.filter((one) => one !== name) : [...recipe.presets, name];
    if (!recipe.presets.length && !recipe.outputs.length) recipe.outputs = copy(START).outputs; // something must be made
    changed();
  }

  return {
    element: h("div.chips", {}, [...buttons.values()]),
    show: () => buttons.forEach((button, name) => button.setAttribute("aria-pressed", String(state.recipe.presets.includes(name)))),
  };
}

// `changed()` hears when there are other outputs, or another one is chosen.
export function outputList(state, changed) {
  const element = h("div.outputs");
  const adding = h("button.add", { type: "button", onclick: add }, "+ Add output");

  function choose(place) {
    state.active = Math.max(0, place);
    changed();
    element.children[state.active].focus();
  }

  function add() {
    const { outputs } = state.recipe;
    const taken = new Set(outputs.map(nameOf));
    let number = outputs.length + 1;
    while (taken.has(`output-${number}`)) number++;
    outputs.push({ name: `output-${number}`, width: 640 });
    choose(outputs.length - 1);
  }

  // Buttons are made anew only if there are more or fewer, so that the keyboard's focus stays where it is.
  function show() {
    const { outputs } = state.recipe;
    if (element.children.length !== outputs.length + 1) fill(element, outputs.map((_, place) => h("button.output", { type: "button", onclick: () => choose(place) })), adding);
    outputs.forEach((output, place) => {
      const button = element.children[place];
      button.setAttribute("aria-pressed", String(place === state.active));
      fill(button, h("b", {}, nameOf(output, place, outputs)), h("span", {}, summary(output)));
    });
  }

  return {
    element,
    show,
    replace(outputs) {
      state.recipe.outputs = outputs;
      choose(0);
    },
    remove() {
      state.recipe.outputs.splice(state.active, 1);
      choose(state.active - 1);
    },
  };
}
