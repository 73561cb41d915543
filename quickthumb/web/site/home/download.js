// Saves results: one as it is, several as a ZIP.

import { Lost, refusal } from "../core/api.js";
import { h } from "../core/dom.js";
import { MOST_BYTES, zip } from "./zip.js";

const EXTENSIONS = { jpeg: "jpg", tiff: "tif" };
// The folder or file name of an item without its extension.
const stem = (name) => name.replace(/\.[^.]+$/, "").replace(/[\\/:*?"<>|\u0000-\u001f]/g, "_") || "image";

export const fileName = (item, name, result) => `${stem(item.name)}-${name}.${EXTENSIONS[result.format] ?? result.format}`;

// Everything that `items` have, as one ZIP; `progress(done, total)` hears how far it is. Throws Problem, Lost or Error.
export async function saveAll(items, progress) {
  const wanted = items.flatMap((item) => Object.entries(item.job.results).map(([name, result]) => ({ name: fileName(item, name, result), result })));
  if (wanted.reduce((sum, { result }) => sum + result.bytes, 0) > MOST_BYTES) throw new Error("All results together are too large for one ZIP: download them one by one.");
  const files = [];
  for (const { name, result } of wanted) {
    progress(files.length, wanted.length);
    files.push({ name, blob: await fetched(result.url) });
  }
  save(await zip(files), items.length === 1 ? `${stem(items[0].name)}.zip` : "quickthumb.zip");
}

async function fetched(url) {
  let answer;
  try {
    answer = await fetch(url);
  } catch {
    throw new Lost();
  }
  if (answer.ok) return await answer.blob();
  throw refusal(answer.status, await answer.json().catch(() => ({})), null);
}

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

export const sourceUrl = (item) => item.preview ?? item.job?.links.original ?? null;
