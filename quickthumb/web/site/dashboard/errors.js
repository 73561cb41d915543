// What errors mean and what to do about them: the service's own page about errors says it.

import { base } from "../core/api.js";
import { h } from "../core/dom.js";

let page = null;

async function section(code) {
  page ??= fetch(`${base}/docs/errors`).then((answer) => (answer.ok ? answer.text() : "")).catch(() => "").then((text) => text && new DOMParser().parseFromString(text, "text/html"));
  const parsed = await page;
  if (!parsed) page = null;
  return parsed ? parsed.getElementById(code) : null;
}

// The explanation of a code, or null if there is none.
export async function meaning(code) {
  return (await section(code))?.querySelector("p:last-of-type")?.textContent ?? null;
}

// An element that says what a code means in a few words: the code itself until they are known.
export function named(code) {
  const place = h("span", { title: code }, code);
  section(code).then((found) => {
    const title = found?.querySelector("strong")?.textContent.replace(/^\d+: |\.$/g, "");
    if (title) place.textContent = title;
  });
  return place;
}

// Where the page about errors explains it.
export const explanation = (code) => `${base}/docs/errors#${encodeURIComponent(code)}`;
