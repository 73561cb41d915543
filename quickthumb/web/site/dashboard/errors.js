// What errors mean and what to do about them: the service's own page about errors says it.

import { base } from "../core/api.js";

let page = null;

// The explanation of a code, or null if there is none.
export async function meaning(code) {
  page ??= fetch(`${base}/docs/errors`).then((answer) => (answer.ok ? answer.text() : "")).catch(() => "");
  const text = await page;
  if (!text) page = null;
  const section = new DOMParser().parseFromString(text, "text/html").getElementById(code);
  return section?.querySelector("p:last-of-type")?.textContent ?? null;
}

// Where the page about errors explains it.
export const explanation = (code) => `${base}/docs/errors#${encodeURIComponent(code)}`;
