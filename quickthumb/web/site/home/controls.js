// Controls for parameters, made from their JSON Schemas alone, so that a new parameter needs no change here.

import { h } from "../core/dom.js";

const SHORT = { hdr: "HDR", url: "URL" };

// The words of a name: max_bytes is "Max bytes".
export const label = (name) => SHORT[name] ?? name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");

let made = 0;

// One control. `changed(value)` hears what the user enters; undefined stands for the default. Returns { element,
// show(value) }.
export function control(name, schema, changed) {
  const id = `control-${++made}-${name}`;
  const { input, read, write, isWide } = (schema.enum ? choice : KINDS[schema.type] ?? text)(schema, name);
  const problem = h("p.complaint", { id: `${id}-problem`, hidden: true });
  const meaning = h("p.hint", { id: `${id}-hint`, hidden: true }, schema.description);
  input.id = id;
  input.name = name;
  input.setAttribute("aria-describedby", `${meaning.id} ${problem.id}`);
  input.addEventListener(input.tagName === "INPUT" && input.type !== "checkbox" ? "input" : "change", () => {
    const { value, complaint = "" } = read();
    problem.hidden = !complaint;
    problem.textContent = complaint;
    input.setAttribute("aria-invalid", String(Boolean(complaint)));
    if (!complaint) changed(value === schema.default ? undefined : value);
  });
  const more = h("button.help", { type: "button", "aria-expanded": "false", "aria-controls": meaning.id, "aria-label": `What ${name} means`, onclick: () => {
    meaning.hidden = !meaning.hidden;
    more.setAttribute("aria-expanded", String(!meaning.hidden));
  } }, "?");
  const examples = schema.type === "string" && schema.examples?.length > 1 && h("datalist", { id: `${id}-examples` }, schema.examples.map((value) => h("option", { value })));
  if (examples) input.setAttribute("list", examples.id);
  const element = h("div.control", { "data-name": name }, h("div.control-head", {}, h("label", { for: id }, label(name)), more), input, examples, meaning, problem);
  element.classList.toggle("wide", Boolean(isWide));
  element.classList.toggle("switch", schema.type === "boolean" && "default" in schema);
  return { element, show: (value) => write(value ?? schema.default) };
}

function choice(schema) {
  const options = [...("default" in schema ? [] : [""]), ...schema.enum];
  const input = h("select", {}, options.map((option) => h("option", { value: option }, option === "" ? "as set up" : option)));
  return { input, read: () => ({ value: input.value || undefined }), write: (value) => (input.value = value ?? "") };
}

function yesOrNo(schema) {
  if (!("default" in schema)) return yesNoOrNothing();
  const input = h("input", { type: "checkbox" });
  return { input, read: () => ({ value: input.checked }), write: (value) => (input.checked = Boolean(value)) };
}

function yesNoOrNothing() {
  const input = h("select", {}, [["", "as set up"], ["true", "yes"], ["false", "no"]].map(([value, word]) => h("option", { value }, word)));
  return {
    input,
    read: () => ({ value: input.value === "" ? undefined : input.value === "true" }),
    write: (value) => (input.value = value === undefined ? "" : String(value)),
  };
}

function number(schema) {
  const step = schema.type === "integer" ? 1 : "any";
  const input = h("input", { type: "number", inputmode: "decimal", step, min: schema.minimum ?? schema.exclusiveMinimum, max: schema.maximum, placeholder: schema.default ?? "auto" });
  const read = () => {
    if (input.validity.valid && input.value === "") return { value: undefined };
    if (!input.validity.valid) return { complaint: input.validationMessage };
    return { value: Number(input.value) };
  };
  // The default is shown as a placeholder, so that what differs stands out.
  return { input, read, write: (value) => (input.value = value === undefined || value === schema.default ? "" : value) };
}

function text(schema, name) {
  if (schema.format === "date-time") return moment();
  const input = h("input", { type: "text", pattern: schema.pattern, maxlength: schema.maxLength, placeholder: schema.default ?? schema.examples?.[0] ?? "", spellcheck: "false", autocomplete: "off" });
  const read = () => {
    if (input.validity.patternMismatch) return { complaint: `This is no ${label(name).toLowerCase()}${schema.examples ? `; an example: ${schema.examples[0]}` : ""}.` };
    return { value: input.value.trim() || undefined };
  };
  return { input, read, write: (value) => (input.value = value === schema.default ? "" : value ?? "") };
}

function moment() {
  const input = h("input", { type: "datetime-local" });
  const local = (value) => new Date(new Date(value) - new Date(value).getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  return {
    input, isWide: true,
    read: () => ({ value: input.value ? new Date(input.value).toISOString() : undefined }),
    write: (value) => (input.value = value && !Number.isNaN(Date.parse(value)) ? local(value) : ""),
  };
}

function list(schema) {
  const pattern = new RegExp(schema.items?.pattern ?? "", "u");
  const input = h("input", { type: "text", placeholder: [schema.items?.examples?.[0], "…"].filter(Boolean).join(", "), spellcheck: "false", autocomplete: "off" });
  const read = () => {
    const values = input.value.split(",").map((word) => word.trim()).filter(Boolean);
    const wrong = values.find((word) => !pattern.test(word));
    return wrong === undefined ? { value: values.length ? values : undefined } : { complaint: `${wrong} is not possible here.` };
  };
  return { input, isWide: true, read, write: (value) => (input.value = (value ?? []).join(", ")) };
}

function object() {
  const input = h("textarea", { rows: 2, placeholder: '{"order": 17}', spellcheck: "false" });
  const read = () => {
    if (!input.value.trim()) return { value: undefined };
    try {
      const value = JSON.parse(input.value);
      return typeof value === "object" && value && !Array.isArray(value) ? { value } : { complaint: "This must be an object, in curly braces." };
    } catch {
      return { complaint: "This is not valid JSON." };
    }
  };
  return { input, isWide: true, read, write: (value) => (input.value = value === undefined ? "" : JSON.stringify(value)) };
}

const KINDS = { boolean: yesOrNo, integer: number, number, array: list, object, string: text };
