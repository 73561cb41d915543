// Makes outputs in several widths and formats at once, such as `srcset` and `<picture>` want.

import { h } from "../core/dom.js";

const WIDTHS = "320, 640, 1280";

// `made(outputs)` hears the outputs when the user asks for them.
export function severalSizes(parameters, made) {
  const { width, format } = Object.assign({}, ...parameters.output.map((group) => group.parameters));
  const widths = h("input", { type: "text", id: "sizes-widths", value: WIDTHS, inputmode: "numeric", autocomplete: "off", "aria-describedby": "sizes-problem" });
  const boxes = format.enum.map((name) => h("label.box", {}, h("input", { type: "checkbox", value: name, checked: name === "auto" }), name));
  const problem = h("p.complaint", { id: "sizes-problem", role: "alert", hidden: true });
  const element = h("details.sizes", {}, h("summary", {}, "Several widths and formats"),
    h("div.field", {}, h("label", { for: "sizes-widths" }, "Widths in pixels"), widths),
    h("fieldset", {}, h("legend", {}, "Formats"), h("div.row", {}, boxes)), problem,
    h("button", { type: "button", onclick: () => make() }, "Make these outputs"));

  function make() {
    const wanted = [...new Set(widths.value.split(/[\s,;]+/).filter(Boolean).map(Number))];
    const formats = boxes.map((box) => box.firstElementChild).filter((box) => box.checked).map((box) => box.value);
    const wrong = wanted.find((one) => !Number.isInteger(one) || one < width.minimum || one > width.maximum);
    const complaint = !wanted.length ? "Enter at least one width." : wrong !== undefined ? `Widths are whole numbers from ${width.minimum} to ${width.maximum}.` : !formats.length ? "Choose at least one format." : "";
    problem.hidden = !complaint;
    problem.textContent = complaint;
    if (complaint) return;
    made(wanted.flatMap((one) => formats.map((name) => ({ name: name === "auto" ? `w${one}` : `w${one}-${name}`, width: one, ...(name !== format.default && { format: name }) }))));
    element.open = false;
  }
  return element;
}
