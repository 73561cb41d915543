// Calls the API of the service that this page came from.

// What goes in front of every path: the deployment may live below a prefix.
export const base = document.documentElement.dataset.base;

// A refusal, as RFC 9457 describes it: `status`, `code`, `title`, `detail`, and `retryAfter` in seconds or null.
export class Problem extends Error {
  constructor(status, body = {}, retryAfter = null) {
    super(body.detail ?? body.title ?? `The service answered ${status}.`);
    Object.assign(this, { status, code: body.code ?? "unknown", title: body.title, detail: this.message, body, retryAfter });
  }
}

// The service could not be reached, or the connection broke.
export class Lost extends Error {
  constructor() {
    super("The service cannot be reached.");
    this.code = "lost";
  }
}

const listeners = { online: new Set(), login: new Set() };
let isOnline = true;

// Tells `listener` whether the service can be reached, each time that changes.
export function onConnection(listener) {
  listeners.online.add(listener);
}

// Calls `listener` when a request needs a key, and this page has none that is good any more.
export function onLoginNeeded(listener) {
  listeners.login.add(listener);
}

export function reached(is) {
  if (is === isOnline) return;
  isOnline = is;
  for (const listener of listeners.online) listener(is);
}

// Sends a request and returns its JSON, or null if it has none. Throws Problem or Lost.
// `json` is sent as JSON, `body` as it is.
export async function call(path, { method = "GET", json, body, headers = {}, signal } = {}) {
  const sent = json === undefined ? body : JSON.stringify(json);
  const all = json === undefined ? headers : { "Content-Type": "application/json", ...headers };
  let response;
  try {
    response = await fetch(base + path, { method, body: sent, headers: { Accept: "application/json", ...all }, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    reached(false);
    throw new Lost();
  }
  reached(true);
  return await understood(response);
}

async function understood(response) {
  const isJson = /\bjson\b/.test(response.headers.get("Content-Type") ?? "");
  const body = isJson ? await response.json() : null;
  if (response.ok) return body;
  throw refusal(response.status, body ?? {}, Number(response.headers.get("Retry-After")) || null);
}

// The Problem for an answer, which the caller throws. Tells of logins that are over.
export function refusal(status, body, retryAfter) {
  if (status === 401) for (const listener of listeners.login) listener();
  return new Problem(status, body, retryAfter);
}

// Like `call` for a GET, and tries again while the service cannot be reached: after 1 s, 2 s, 4 s … 15 s.
export async function read(path, { signal } = {}) {
  for (let pause = 1000; ; pause = Math.min(2 * pause, 15000)) {
    try {
      return await call(path, { signal });
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (signal?.aborted) throw error;
    }
  }
}
