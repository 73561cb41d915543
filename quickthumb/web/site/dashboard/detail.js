import { fill, h } from "../core/dom.js";

export function show(main) {
  fill(main, h("h1", {}, "detail"));
  return () => {};
}
