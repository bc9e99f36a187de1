// What a task says, whoever holds it: why, what to do, what else is in it, what was noted.

import { h } from "./dom.js";
import { facts } from "./facts.js";
import { day, t } from "./texts.js";
import { mark, tierName } from "./tiers.js";

/** Return a task in words; `bar` and `due` say how it stands to its deadline. */
export function taskBody(task, bar, due) {
  return h(
    "article",
    { class: "task-body" },
    h("p", { class: "eyebrow" }, mark(task.tier, tierName(task.tier)), h("span", {}, task.customer_id), h("span", {}, t(`kind.${task.kind}`)), due),
    h("h2", { class: "task-title" }, task.title),
    bar,
    h("p", { class: "lead" }, task.why),
    facts(task),
    advice(task),
    causes(task),
    notes(task),
  );
}

function advice(task) {
  const [first, ...rest] = task.advice.split(/(?<=[.!?])\s+(?=\p{Lu})/u);
  return h("section", { class: "advice" }, h("h3", {}, t("task.advice")), h("p", { class: "advice-first" }, first), rest.length ? h("ul", {}, rest.map((line) => h("li", {}, line))) : null);
}

function causes(task) {
  const more = (task.causes ?? []).slice(1);
  if (!more.length) return null;
  return h("section", { class: "causes" }, h("h3", {}, t("task.causes")), h("ul", {}, more.map((cause) => h("li", { class: cause.ended_by ? "is-over" : "" }, cause.sentence))));
}

function notes(task) {
  if (!task.notes.length) return null;
  const line = (note) => h("li", {}, h("p", {}, note.body), h("p", { class: "quiet" }, `${note.author_name}, ${day(note.at)}`));
  return h("section", { class: "notes" }, h("h3", {}, t("task.notes")), h("ul", {}, task.notes.map(line)));
}
