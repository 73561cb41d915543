// Webhooks: where events go, what has become of each delivery, and sending them again.

import { call, read } from "../core/api.js";
import { fill, h } from "../core/dom.js";
import { duration, statusElement, timeElement } from "../core/format.js";
import { confirmed, toast } from "../core/shell.js";
import { at, navigate } from "./router.js";

const DAY = 86400e3;
const WORDS = { DONE: "Delivered", FAILED: "Not delivered", WAITING: "Waiting", IN_PROGRESS: "Sending", CANCELLED: "Given up" };

export function show(main, { query }) {
  const view = new Webhooks(main, query);
  view.load();
  return () => (view.isOver = true);
}

class Webhooks {
  constructor(main, query) {
    Object.assign(this, { chosen: query.get("webhook"), isOver: false });
    this.list = h("div.hooks", { "aria-busy": "true" }, h("div.skeleton.tall"));
    this.deliveries = h("section", { hidden: true });
    this.secret = h("div", { role: "status" });
    fill(main, h("div.title", {}, h("h1", {}, "Webhooks")), this.secret, this.list, this.deliveries, this.form());
  }

  async load() {
    try {
      const { webhooks } = await read("/webhooks");
      if (this.isOver) return;
      const chosen = webhooks.find(({ id }) => id === this.chosen) ?? webhooks[0];
      this.list.removeAttribute("aria-busy");
      fill(this.list, webhooks.length ? h("ul.plain-list", {}, webhooks.map((one) => this.hook(one, one === chosen))) : h("div.empty", {}, h("p", {}, "There is no webhook. Add one, and the service tells it of every job that ends.")));
      this.deliveries.hidden = !chosen;
      if (chosen) await this.loadDeliveries(chosen);
    } catch (error) {
      if (!this.isOver) fill(this.list, h("div.notice.failed", { role: "alert" }, h("p", {}, error.message), h("button", { type: "button", onclick: () => this.load() }, "Try again")));
    }
  }

  hook(webhook, isChosen) {
    const { id, url, events, description, created_at: created, gone_at: gone } = webhook;
    const test = this.button("Send a test", () => call(`/webhooks/${id}/test`, { method: "POST" }), "A test event is on its way.");
    const rotate = this.button("New secret", async () => this.showSecret(await call(`/webhooks/${id}/rotate`, { method: "POST" })));
    const remove = h("button.danger", { type: "button", onclick: () => this.remove(webhook) }, "Delete");
    const link = h("a", { href: at("/webhooks", new URLSearchParams({ webhook: id })), "aria-current": isChosen && "true" }, url);
    return h("li.hook", {}, h("div", {}, h("div.url", {}, link), h("div.small.muted", {}, [description, events.join(", ")].filter(Boolean).join(" · "), " · made ", timeElement(created)),
      gone && h("div.small.paused", {}, "Its server said that it is gone: nothing is sent there any more.")), h("div.row", {}, test, rotate, remove));
  }

  async loadDeliveries(webhook) {
    const { deliveries } = await read(`/webhooks/${webhook.id}/deliveries`);
    if (this.isOver) return;
    const missed = deliveries.filter(({ status }) => status === "FAILED").length;
    const again = missed > 0 && this.button("Send again what was not delivered in the last day", () => this.replayMissed(webhook));
    const refresh = h("button.plain", { type: "button", onclick: () => this.load() }, "Refresh");
    fill(this.deliveries, h("div.title", {}, h("h2", {}, "Deliveries"), again, refresh),
      deliveries.length ? h("ul.plain-list", {}, deliveries.map((one) => this.delivery(one))) : h("p.muted", {}, "Nothing was sent there yet."));
  }

  delivery(one) {
    const last = one.attempts.at(-1);
    const answer = last ? (last.error ?? `answered ${last.status} in ${duration(last.seconds)}`) : "no attempt yet";
    const replay = ["DONE", "FAILED", "CANCELLED"].includes(one.status) && this.button("Send again", () => call(`/deliveries/${one.id}/replay`, { method: "POST" }), "The event is sent again.");
    return h("li.hook", {}, h("div", {}, h("div", {}, statusElement(one.status, WORDS[one.status]), " ", one.event, one.job_id && [" · ", h("a", { href: at(`/jobs/${one.job_id}`) }, one.job_id.slice(0, 8))]),
      h("div.small.muted", {}, timeElement(one.created_at), one.attempts.length > 1 ? ` · ${one.attempts.length} attempts` : "", ` · ${answer}`),
      last?.answer && h("details", {}, h("summary", {}, "What the server said"), h("pre", { tabindex: 0 }, last.answer))), h("div.row", {}, replay));
  }

  async replayMissed({ id }) {
    const until = new Date(), since = new Date(until - DAY);
    const { deliveries } = await call(`/webhooks/${id}/replay`, { method: "POST", json: { since, until, only_failed: true } });
    toast(`${deliveries.length} ${deliveries.length === 1 ? "event is" : "events are"} sent again.`);
  }

  async remove({ id, url }) {
    if (!(await confirmed(`Delete the webhook ${url}? What was not delivered yet is not sent any more.`, { action: "Delete the webhook", danger: true }))) return;
    try {
      await call(`/webhooks/${id}`, { method: "DELETE" });
      navigate(at("/webhooks"), { replace: true });
    } catch (error) {
      toast(error.message, { kind: "failed" });
    }
  }

  // A button that does something with the API, and shows the list anew.
  button(text, act, done) {
    const button = h("button", { type: "button", onclick: async () => {
      button.disabled = true;
      try {
        await act();
        if (done) toast(done);
        await this.load();
      } catch (error) {
        toast(error.message, { kind: "failed" });
      }
      button.disabled = false;
    } }, text);
    return button;
  }

  showSecret({ secret, url }) {
    fill(this.secret, h("div.notice.warn", {}, h("p", {}, `The secret that signs what is sent to ${url}. It is shown only this once:`), h("pre", { tabindex: 0 }, secret)));
  }

  form() {
    const url = h("input", { type: "url", id: "hook-url", required: true, maxlength: 2048, placeholder: "https://example.com/hook" });
    const description = h("input", { id: "hook-description", maxlength: 200 });
    const add = async (event) => {
      event.preventDefault();
      try {
        this.showSecret(await call("/webhooks", { method: "POST", json: { url: url.value, description: description.value } }));
        url.value = description.value = "";
        await this.load();
      } catch (error) {
        toast(error.message, { kind: "failed" });
      }
    };
    return h("section", {}, h("h2", {}, "Add a webhook"), h("form.row.add-hook", { onsubmit: add },
      h("div.field", {}, h("label", { for: url.id }, "URL"), url), h("div.field", {}, h("label", { for: description.id }, "What it is for"), description), h("button.primary", { type: "submit" }, "Add")));
  }
}
