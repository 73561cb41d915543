import { fill, h } from "../core/dom.js";
import { start } from "../core/shell.js";

await start("/dashboard");
fill(document.getElementById("main"), h("h1", {}, "Dashboard"));
