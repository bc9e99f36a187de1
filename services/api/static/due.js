// A deadline as a bar that empties, and in words.

import { h } from "./dom.js";
import { span, t } from "./texts.js";
import { now } from "./time.js";

/** Return how a task stands to its deadline. */
export function due(task) {
  const end = Date.parse(task.due_at);
  const left = end - now();
  const whole = Math.max(1, end - Date.parse(task.created_at));
  return { late: left < 0, soon: left < 4 * 3600e3, left: Math.min(1, Math.max(0, left / whole)), words: words(left) };
}

const words = (left) => (left < 0 ? t("due.late", { time: span(-left) }) : t("due.in", { time: span(left) }));

/** Return the bar; `paint` keeps it true. */
export function dueBar() {
  return h("span", { class: "due-bar", "aria-hidden": "true" });
}

/** Bring a bar and its words up to date. */
export function paint(bar, text, task) {
  const state = due(task);
  bar.style.setProperty("--left", state.late ? 1 : state.left);
  bar.dataset.state = text.dataset.state = state.late ? "late" : state.soon ? "soon" : "fine";
  if (text.textContent !== state.words) text.textContent = state.words;
}
