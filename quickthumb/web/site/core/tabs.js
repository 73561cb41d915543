// Tabs, as the ARIA Authoring Practices describe them: one tab stop, and arrow keys between the tabs.

import { fill, h } from "./dom.js";

let made = 0;

// `panels` are [name, element]. `chosen(place)` hears of each choice. Returns { element, choose(place) }.
export function tabs(label, panels, { chosen = () => {}, first = 0 } = {}) {
  const prefix = `tabs-${++made}`;
  const panel = h("div.tab-panel", { role: "tabpanel", id: `${prefix}-panel`, tabindex: 0 });
  const buttons = panels.map(([name], place) => h("button.tab", {
    type: "button", role: "tab", id: `${prefix}-${place}`, "aria-controls": panel.id, onclick: () => choose(place), onkeydown: (event) => move(event, place),
  }, name));
  function choose(place) {
    buttons.forEach((button, other) => {
      button.setAttribute("aria-selected", String(other === place));
      button.tabIndex = other === place ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", buttons[place].id);
    fill(panel, panels[place][1]);
    chosen(place);
  }
  function move(event, place) {
    const steps = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: buttons.length - 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = (steps[event.key] + buttons.length) % buttons.length;
    choose(next);
    buttons[next].focus();
  }
  choose(first);
  return { element: h("div.tabs", {}, h("div.tab-list", { role: "tablist", "aria-label": label }, buttons), panel), choose };
}
