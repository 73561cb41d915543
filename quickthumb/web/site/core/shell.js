// What all pages share: the header, who is logged in, the line that says that the service is away, and short messages.

import { base, call, onConnection, onLoginNeeded, Problem, read } from "./api.js";
import { fill, h } from "./dom.js";

const PAGES = [["/", "Upload"], ["/dashboard", "Dashboard"], ["/docs", "API"]];

// Shows the header, and asks who is there. Returns the answer of GET /session once nobody has to log in (any more).
export async function start(page) {
  const account = h("div.account");
  const links = PAGES.map(([path, name]) => h("a", { href: base + path, "aria-current": path === page && "page" }, name));
  const icon = h("img", { src: document.querySelector("link[rel=icon]").href, width: 24, height: 24, alt: "" });
  fill(document.getElementById("header"), h("a.brand", { href: `${base}/` }, icon, "QuickThumb"), h("nav", { "aria-label": "Pages" }, links), account);
  const offline = h("div.offline", { role: "status", hidden: true }, "The service cannot be reached. This page goes on by itself as soon as it is back.");
  document.getElementById("header").after(offline);
  onConnection((is) => {
    offline.hidden = is;
    if (!is) read("/healthz").catch(() => {}); // goes on asking until the service is back
  });
  const session = await loggedIn();
  showAccount(account, session);
  onLoginNeeded(() => (session.login === "unavailable" ? sayThatAKeyIsNeeded() : location.reload()));
  return session;
}

async function loggedIn() {
  for (;;) {
    try {
      const session = await call("/session");
      if (session.login !== "needed") return session;
      return await askForKey();
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return { login: "unavailable", scopes: [] };
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

// Without the dashboard there is no login, but the service may need a key all the same.
function sayThatAKeyIsNeeded() {
  const note = h("p.notice.warn", { role: "alert" }, "This service needs an API key, and its pages cannot log in: see the setting ", h("code", {}, "DASHBOARD"), ".");
  fill(document.getElementById("main"), note);
}

// Shows the form for a key until one is good. Returns who is logged in then.
function askForKey() {
  return new Promise((resolve) => {
    const complaint = h("p.notice.failed", { role: "alert", hidden: true });
    const field = h("input", { type: "password", id: "key", name: "key", autocomplete: "current-password", spellcheck: "false", required: true });
    const send = h("button.primary", { type: "submit" }, "Log in");
    const login = async (event) => {
      event.preventDefault();
      send.disabled = true;
      try {
        await call("/session", { method: "POST", json: { key: field.value.trim() } });
        const session = await call("/session");
        fill(document.getElementById("main"));
        resolve(session);
      } catch (error) {
        complaint.textContent = error.message;
        complaint.hidden = false;
        send.disabled = false;
        field.select();
      }
    };
    const form = h("form.card.login", { onsubmit: login }, h("h1", {}, "Log in"),
      h("p", {}, "This service needs an API key, such as its operator made with ", h("code", {}, "quickthumb keys create"), "."),
      h("div.field", {}, h("label", { for: "key" }, "API key"), field), complaint, h("div.row", {}, send));
    fill(document.getElementById("main"), form);
    field.focus();
  });
}

function showAccount(account, session) {
  if (session.login !== "done") return;
  const leave = async () => {
    await call("/session", { method: "DELETE" });
    location.reload();
  };
  fill(account, h("span", {}, session.key?.name ?? session.tenant), h("button.plain", { type: "button", onclick: leave }, "Log out"));
}

// Says something in the corner for a while; screen readers hear it, too.
export function toast(text, { kind = "" } = {}) {
  let corner = document.querySelector(".toasts");
  if (!corner) document.body.append((corner = h("div.toasts", { role: "status", "aria-live": "polite" })));
  const note = h("div.notice", {}, text);
  if (kind) note.classList.add(kind);
  corner.append(note);
  setTimeout(() => note.remove(), 6000);
}

// Asks before something that cannot be undone. Resolves to whether the user agreed.
export function confirmed(question, { action, danger = false }) {
  return new Promise((resolve) => {
    const answer = (is) => () => { dialog.close(); dialog.remove(); resolve(is); };
    const agree = h(danger ? "button.danger" : "button.primary", { type: "button", onclick: answer(true) }, action);
    const dialog = h("dialog", { "aria-label": action, oncancel: answer(false) }, h("p", {}, question),
      h("div.row", {}, agree, h("button", { type: "button", onclick: answer(false) }, "Cancel")));
    document.body.append(dialog);
    dialog.showModal();
  });
}
