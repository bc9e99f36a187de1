// What happened to a customer, newest first; every tier change can say why.

import { h } from "./dom.js";
import { ruleName, sentences } from "./evidence.js";
import { facts } from "./facts.js";
import { proof } from "./proof.js";
import { date, named, t } from "./texts.js";
import { mark, tierName } from "./tiers.js";

const WORDS = {
  tier(line) {
    if (line.previous === null) return t("timeline.tier_first", { to: tierName(line.current) });
    if (line.previous === line.current) return t("timeline.ranked_only", { to: tierName(line.ranked_current), from: tierName(line.ranked_previous) });
    return t("timeline.tier", { from: tierName(line.previous), to: tierName(line.current) });
  },
  warned: (line) => t("timeline.warned", { rule: ruleName(line.rule) }),
  cleared: (line) => t("timeline.cleared", { cause: named(`cause.${line.ended_by}`, line.ended_by) }),
  task(line) {
    const state = { done: "done", withdrawn: "withdrawn", history: "withdrawn" }[line.state] ?? "open";
    return t(`timeline.task_${state}`, { title: line.title, outcome: line.outcome ? t(`outcome.${line.outcome}`) : "" });
  },
};

function because(line) {
  const pin = line.proof?.pin;
  if (pin && pin.tier === line.current) return t("cause.pin", { who: pin.decided_by });
  if (line.kind === "tier") return t(`cause.${line.cause}`);
  if (line.kind === "task" && line.assigned_name) return line.assigned_name;
  return null;
}

function why(line, words, customerId) {
  const inner = line.kind === "tier" ? () => proof(line, customerId) : line.kind === "warned" ? () => warned(line.evidence) : null;
  if (!inner) return null;
  const details = h("details", { class: "why" }, h("summary", { "aria-label": t("why.of", { what: words }) }, t("why")));
  details.addEventListener("toggle", () => details.children.length < 2 && details.append(inner() ?? ""), { once: true });
  return details;
}

const warned = (evidence) => h("div", {}, sentences(evidence).map((one) => h("p", {}, one)), facts({ evidence }));

/** Return the timeline. */
export function timeline(view) {
  if (!view.timeline.length) return h("p", { class: "quiet" }, t("timeline.empty"));
  return h(
    "ol",
    { class: "timeline" },
    view.timeline.map((line) => {
      const words = WORDS[line.kind](line);
      const sign = line.kind === "tier" ? mark(line.current) : h("span", { class: `dot dot-${line.kind}`, "aria-hidden": "true" });
      const cause = because(line);
      return h("li", {}, h("time", { datetime: line.at }, date(line.at)), sign, h("div", {}, h("span", { class: "timeline-what" }, words), " ", cause ? h("span", { class: "quiet" }, cause) : null, why(line, words, view.customer_id)));
    }),
  );
}
