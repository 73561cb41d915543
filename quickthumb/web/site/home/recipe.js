// What is to be made: presets, outputs of one's own, and fields of the job. It lives in the hash of the URL, so that a
// link shares it, and becomes the fields of a request.

// What the page begins with.
export const START = { presets: [], outputs: [{ width: 640 }], job: {} };
const KEY = "recipe";

export const copy = (recipe) => structuredClone(recipe);
const isStart = (recipe) => JSON.stringify(compact(recipe)) === JSON.stringify(compact(START));

// The recipe as the JSON of a request's body: `preset`, `outputs` or the parameters of the only output, and the rest.
export function asJson({ presets, outputs, job }) {
  const preset = presets.length ? { preset: presets.length === 1 ? presets[0] : presets } : {};
  if (isFlat({ presets, outputs })) return { ...outputs[0], ...job };
  return { ...preset, ...(outputs.length ? { outputs: outputs.map(named) } : {}), ...job };
}

// One output alone is described by flat parameters, unless it has none: that would ask for the default preset.
function isFlat({ presets, outputs }) {
  return !presets.length && outputs.length === 1 && Object.keys(outputs[0]).length > 0;
}

// The name that the service gives an output, if it has none of its own.
export const nameOf = (output, place, all) => output.name ?? (all.length === 1 ? "thumbnail" : `output-${place + 1}`);
const named = (output, place, all) => ({ name: nameOf(output, place, all), ...output });

// The same as the fields of a form, in pairs.
export function asFields(recipe) {
  return Object.entries(asJson(recipe)).flatMap(([name, value]) => {
    if (name === "outputs" || (typeof value === "object" && !Array.isArray(value))) return [[name, JSON.stringify(value)]];
    return [value].flat().map((item) => [name, String(item)]);
  });
}

// The short form in the hash: only what is there.
function compact({ presets, outputs, job }) {
  return { ...(presets.length && { presets }), ...(outputs.length && { outputs }), ...(Object.keys(job).length && { job }) };
}

export function toHash(recipe) {
  return isStart(recipe) ? "" : `#${KEY}=${encodeURIComponent(JSON.stringify(compact(recipe)))}`;
}

// The recipe in a hash, and what is wrong with it, in words. Of a wrong one, what is right is kept.
export function fromHash(hash, { parameters, presets }) {
  const text = new URLSearchParams(hash.replace(/^#/, "").replaceAll("+", "%2B")).get(KEY);
  if (text === null) return { recipe: copy(START), complaint: null };
  let given;
  try {
    given = JSON.parse(text);
  } catch {
    return { recipe: copy(START), complaint: "The recipe in this link is damaged, so the page begins with its own." };
  }
  return checked(given, parameters, presets);
}

function checked(given, parameters, presets) {
  const wrong = [];
  const recipe = { presets: [], outputs: [], job: {} };
  for (const name of list(given?.presets)) presets.has(name) ? recipe.presets.push(name) : wrong.push(`the preset ${name}`);
  for (const output of list(given?.outputs)) {
    if (isObject(output)) recipe.outputs.push(known(output, parameters.output, wrong));
    else wrong.push("an output");
  }
  if (isObject(given?.job)) recipe.job = known(given.job, parameters.job, wrong);
  const isEmpty = !recipe.presets.length && !recipe.outputs.length;
  const complaint = wrong.length ? `This service does not know all of the recipe in this link. Left out: ${wrong.join(", ")}.` : null;
  return { recipe: isEmpty ? { ...copy(START), job: recipe.job } : recipe, complaint: isEmpty ? complaint ?? "The recipe in this link is empty, so the page begins with its own." : complaint };
}

const list = (value) => (Array.isArray(value) ? value : []);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function known(values, schemas, wrong) {
  return Object.fromEntries(Object.entries(values).filter(([name, value]) => {
    const fine = Object.hasOwn(schemas, name) && fits(value, schemas[name]);
    if (!fine) wrong.push(`${name} = ${JSON.stringify(value)}`);
    return fine;
  }));
}

// Whether a value is of a parameter's type, as far as a control could show it. The service checks everything else.
function fits(value, schema) {
  if (schema.enum) return schema.enum.includes(value);
  if (schema.type === "integer" || schema.type === "number") return Number.isFinite(value);
  if (schema.type === "array") return Array.isArray(value) && value.every((item) => typeof item === "string");
  if (schema.type === "object") return isObject(value);
  return typeof value === (schema.type ?? "string");
}

// What an output makes, in a few words.
export function summary(output) {
  const { width, height, fit = "inside", format = "auto" } = output;
  const size = width && height ? `${width} × ${height}` : width ? `${width} wide` : height ? `${height} high` : "full size";
  return [size, fit === "inside" ? "" : fit, format === "auto" ? "" : format].filter(Boolean).join(", ");
}
