// The request that the page would send, for a shell, Python and JavaScript, and the recipe alone.

import { base } from "../core/api.js";
import { copyButton } from "../core/copy.js";
import { h } from "../core/dom.js";
import { tabs } from "../core/tabs.js";
import { asFields, asJson } from "./recipe.js";

const origin = () => location.origin + base;

// In single quotes, a shell changes nothing.
const shell = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export function curl(recipe, hasKey) {
  const key = hasKey ? [`-H "Authorization: Bearer $QUICKTHUMB_KEY"`] : [];
  const fields = asFields(recipe).map(([name, value]) => `-F ${shell(`${name}=${formText(value)}`)}`);
  return ["curl --fail-with-body", ...key, ...fields, "-F image=@photo.jpg", shell(`${origin()}/images/?wait=20`)].join(" \\\n  ");
}

// curl reads a file in place of a value that begins with @ or <, and takes ; for the beginning of a type.
const formText = (value) => (/^[@<"]|;/.test(value) ? `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : value);

export function python(recipe, hasKey) {
  const given = Object.entries(asJson(recipe)).map(([name, value]) => `${name}=${pythonText(value)}`);
  const words = ['"photo.jpg"', ...given];
  const call = given.length < 3 ? words.join(", ") : `\n        ${words.join(",\n        ")},\n    `;
  const key = hasKey ? ', key=os.environ["QUICKTHUMB_KEY"]' : "";
  return [
    ...(hasKey ? ["import os", ""] : []), "from quickthumb.client import Client", "",
    `with Client(${JSON.stringify(origin())}${key}) as client:`,
    `    job = client.upload(${call})`,
    "    job = client.wait(job)",
    "    for name, result in job.results.items():",
    '        client.download(result, f"{name}.{result.format}")',
  ].join("\n");
}

function pythonText(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map(pythonText).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}: ${pythonText(inner)}`).join(", ")}}`;
  return JSON.stringify(value);
}

export function javascript(recipe, hasKey) {
  const fields = asFields(recipe).map(([name, value]) => `form.append(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
  const url = JSON.stringify(`${origin()}/images/?wait=20`);
  const options = hasKey
    ? ["  method: \"POST\",", "  headers: { Authorization: `Bearer ${process.env.QUICKTHUMB_KEY}` },", "  body: form,"]
    : ["  method: \"POST\",", "  body: form,"];
  return [
    "const form = new FormData();", ...fields, "form.append(\"image\", file); // a File or a Blob",
    `const answer = await fetch(${url}, {`, ...options, "});",
    "const job = await answer.json();",
    "if (!answer.ok) throw new Error(job.detail);",
    "console.log(job.status, job.results);",
  ].join("\n");
}

export const json = (recipe) => JSON.stringify(asJson(recipe), null, 2);

const WAYS = [["curl", curl], ["Python", python], ["JavaScript", javascript], ["JSON", json]];

// The samples in tabs. Returns { element, show(recipe) }.
export function samples(hasKey) {
  const blocks = WAYS.map(() => h("code"));
  const panels = WAYS.map(([name], place) => [name, h("div.sample", {}, copyButton(() => blocks[place].textContent), h("pre", { tabindex: 0, "aria-label": `${name} sample` }, blocks[place]))]);
  const { element } = tabs("Language of the sample", panels);
  return {
    element,
    show(recipe) {
      WAYS.forEach(([, write], place) => {
        const text = write(recipe, hasKey);
        if (blocks[place].textContent !== text) blocks[place].textContent = text;
      });
    },
  };
}
