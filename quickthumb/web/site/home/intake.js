// How images come in: dropped anywhere on the page, pasted, chosen, taken with a camera, or by URL.

import { h } from "../core/dom.js";
import { toast } from "../core/shell.js";

const ACCEPTED = "image/*,.heic,.heif,.avif,.tif,.tiff,.jxl";

// `files(list)` and `urls(list)` hear of what comes. Returns the drop zone.
export function intake({ files, urls }) {
  const chooser = h("input", { type: "file", id: "chooser", class: "visually-hidden", multiple: true, accept: ACCEPTED, tabindex: -1, "aria-label": "Images to upload", onchange: () => taken(chooser) });
  const camera = h("input", { type: "file", id: "camera", class: "visually-hidden", accept: "image/*", capture: "environment", tabindex: -1, "aria-label": "Take a photo", onchange: () => taken(camera) });
  const taken = (input) => {
    files([...input.files]);
    input.value = "";
  };
  const address = h("input", { type: "url", id: "address", placeholder: "https://example.com/photo.jpg", autocomplete: "off", spellcheck: "false", required: true });
  const form = h("form.by-url", { novalidate: true, onsubmit: (event) => sendAddresses(event) },
    h("label", { for: "address" }, "Or by URL"), address, h("button", { type: "submit" }, "Fetch"));
  function sendAddresses(event) {
    event.preventDefault();
    const given = address.value.split(/\s+/).filter(Boolean);
    if (!given.length || !given.every(isAddress)) return toast("Enter a whole URL, such as https://example.com/photo.jpg.", { kind: "failed" });
    urls(given);
    address.value = "";
  }
  const zone = h("section.intake", { "aria-label": "Choose images" },
    h("div.zone", {}, h("p.zone-title", {}, h("span.for-mice", {}, "Drop images here"), h("span.for-fingers", {}, "Add images")),
      h("div.row", {}, h("button.primary", { type: "button", onclick: () => chooser.click() }, "Choose images"),
        h("button.camera", { type: "button", onclick: () => camera.click() }, "Take a photo")),
      h("p.muted.small.for-mice", {}, "or paste from the clipboard"), chooser, camera), form);
  listenForDrops(zone, files, urls);
  listenForPastes(files, urls);
  return zone;
}

function isAddress(text) {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch {
    return false;
  }
}

function listenForDrops(zone, files, urls) {
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].some((type) => type === "Files" || type === "text/uri-list");
  const over = (is) => zone.classList.toggle("over", is);
  addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    over(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && over(false));
  addEventListener("drop", (event) => {
    over(false);
    if (!carries(event)) return;
    event.preventDefault();
    const { items, files: dropped } = event.dataTransfer;
    const folders = [...items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry?.isDirectory).map((entry) => entry.name);
    if (folders.length) toast(`A page cannot take in folders: open ${folders.join(", ")} and drop the images in it.`, { kind: "warn" });
    const taken = [...dropped].filter((file) => !folders.includes(file.name));
    if (taken.length) files(taken);
    else if (!folders.length) urls(event.dataTransfer.getData("text/uri-list").split(/\s+/).filter(isAddress));
  });
}

function listenForPastes(files, urls) {
  addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])];
    if (pasted.length) {
      event.preventDefault();
      return files(pasted);
    }
    if (event.target.closest?.("input, textarea")) return;
    const given = (event.clipboardData?.getData("text") ?? "").split(/\s+/).filter(Boolean);
    if (given.length && given.every(isAddress)) urls(given);
  });
}
