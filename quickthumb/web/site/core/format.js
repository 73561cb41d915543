// Numbers, sizes and times as the reader writes them.

import { h } from "./dom.js";

const locale = navigator.languages ?? navigator.language;
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

export const count = (number) => whole.format(number);
export const share = (number) => percent.format(number);
export const number = (value) => fine.format(value);

// Bytes in the units that file managers use: 1 kB is 1,000 bytes.
export function bytes(size) {
  if (size < 1000) return `${whole.format(size)}\u00a0B`;
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let place = 0;
  for (; size >= 1000 && place < units.length - 1; place++) size /= 1000;
  return new Intl.NumberFormat(locale, { style: "unit", unit: units[place], unitDisplay: "short", maximumSignificantDigits: 3 }).format(size);
}

// A length of time in the unit that suits it: 12 ms, 3.4 s, 5 min, 2 hr, 3 days.
export function duration(seconds) {
  const steps = [[1, "millisecond", 1000], [60, "second", 1], [3600, "minute", 1 / 60], [86400, "hour", 1 / 3600], [Infinity, "day", 1 / 86400]];
  const [, unit, factor] = steps.find(([limit]) => seconds < limit);
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumSignificantDigits: unit === "second" ? 2 : 3 }).format(seconds * factor);
}

export const moment = (time) => exact.format(new Date(time));

function ago(time) {
  const seconds = (new Date(time) - Date.now()) / 1000;
  const [unit, length] = [["day", 86400], ["hour", 3600], ["minute", 60]].find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return relative.format(Math.round(seconds / length), unit);
}

// "2 min ago", with the exact time on hover. It stays right as long as it is shown.
export function timeElement(time) {
  return h("time", { datetime: time, title: moment(time), "data-relative": true }, ago(time));
}

setInterval(() => {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const text = ago(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}, 5000);

const WORDS = { WAITING: "Waiting", IN_PROGRESS: "Working", DONE: "Done", FAILED: "Failed", CANCELLED: "Cancelled" };

// A status with its shape and its word; `word` overrides the latter.
export function statusElement(status, word = WORDS[status]) {
  return h("span.status", { "data-status": status }, word);
}
