// The receipt of a result, in words.

import { h } from "../core/dom.js";
import { bytes, count, share } from "../core/format.js";

const SHOWN = new Set(["url", "format", "width", "height", "bytes", "quality", "color", "metadata", "warnings", "frames"]);
const HDR = { "ultra-hdr": "an Ultra HDR gain map", "iso-21496-1": "an HDR gain map (ISO 21496-1)", apple: "Apple's HDR gain map" };

// How much smaller a result is than its source: "−96 %". Empty if the source's size is not known.
export function saving(result, source) {
  if (!source?.bytes) return "";
  const ratio = result.bytes / source.bytes - 1;
  return `${ratio < 0 ? "−" : "+"}${share(Math.abs(ratio))}`;
}

export const dimensions = ({ width, height }) => (width && height ? `${count(width)} × ${count(height)}` : "");

// The receipt as a list of terms.
export function receipt(result, job) {
  const { source } = job;
  const rows = [
    ["Picture", `${dimensions(result)} pixels${result.frames > 1 ? `, ${count(result.frames)} frames` : ""}`],
    ["File", `${result.format.toUpperCase()}${result.quality ? ` at quality ${result.quality}` : ""}, ${bytes(result.bytes)}`],
    ["Saving", source.bytes ? comparison(result, source) : null],
    ["Source", [dimensions(source), source.format?.toUpperCase(), source.bytes && bytes(source.bytes), source.frames > 1 && `${count(source.frames)} frames`].filter(Boolean).join(", ")],
    ["Color", colors(result.color)],
    ["Metadata", metadata(result.metadata)],
    ["HDR", source.hdr ? `The source has ${HDR[source.hdr] ?? source.hdr}.` : null],
    ["Origin", provenance(source.provenance)],
    ["Reused", job.deduplicated ? "Made for an earlier job of the same image." : null],
    ...Object.entries(result).filter(([name, value]) => !SHOWN.has(name) && value !== null).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]),
    ["Context", job.context ? JSON.stringify(job.context) : null],
    ["Tags", job.tags?.join(", ") || null],
  ];
  const list = h("dl.receipt", {}, rows.filter(([, said]) => said).map(([name, said]) => [h("dt", {}, name), h("dd", {}, said)]));
  const warnings = (result.warnings ?? []).map((warning) => h("li", {}, warning));
  return [list, warnings.length > 0 && h("div.notice.warn", {}, h("strong", {}, warnings.length === 1 ? "A warning" : "Warnings"), h("ul", {}, warnings))];
}

function comparison(result, source) {
  const ratio = result.bytes / source.bytes;
  return ratio <= 1 ? `${share(1 - ratio)} smaller than the source` : `${share(ratio - 1)} larger than the source`;
}

function colors(said) {
  if (!said) return null;
  return said === "unchanged" ? "As in the source, which is sRGB." : sentence(said);
}

function metadata(said) {
  if (!said) return null;
  if (said === "stripped") return "Removed: nothing tells of the place, the camera or the author.";
  return said === "none found" ? "The source has none." : sentence(said);
}

function provenance(said) {
  if (!said) return null;
  const parts = [said.digital_source_type && `labeled as ${said.digital_source_type}`, said.c2pa && "has Content Credentials"].filter(Boolean);
  return parts.length ? `${sentence(parts.join("; "))} Not verified.` : null;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
