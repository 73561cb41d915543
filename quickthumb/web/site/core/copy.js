// A button that copies a text, and says so.

import { h } from "./dom.js";

// `text()` is asked when the button is pressed.
export function copyButton(text, label = "Copy") {
  const button = h("button.copy", { type: "button" }, label);
  const say = h("span.visually-hidden", { role: "status" });
  let timer;
  button.addEventListener("click", async () => {
    const done = await copied(text());
    button.textContent = done ? "Copied" : "Not copied";
    say.textContent = done ? "Copied" : "The browser does not let this page copy.";
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
      say.textContent = "";
    }, 2000);
  });
  return h("span.copying", {}, button, say);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text); // without HTTPS, there is no clipboard
  }
}

function copiedBySelection(text) {
  const area = h("textarea.visually-hidden", { value: text, readonly: true, "aria-hidden": "true", tabindex: -1 });
  const before = document.activeElement;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}
