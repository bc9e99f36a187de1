// A task's evidence as a few facts.

import { h } from "./dom.js";
import { reasonName } from "./evidence.js";
import { amount, date, number, t, tn, windowName } from "./texts.js";
import { tierName } from "./tiers.js";

const SHOWN = ["silent_since", "last_purchase_at", "last_response_at", "usual_gap_days", "spend_minor", "orders", "last_browse", "competitor", "reason", "ranked_tier"];

function words(name, value) {
  if (name.endsWith("_at") || name.endsWith("_since")) return date(value);
  if (name === "usual_gap_days") return tn("fact.every_days", Math.max(1, Math.round(value)));
  if (name === "spend_minor") return amount(value);
  if (name === "ranked_tier") return tierName(value);
  if (name === "reason") return reasonName(value);
  return typeof value === "number" ? number(value) : String(value);
}

/** Return the latest cause's evidence as a list, or null when it holds nothing that is shown. */
export function facts(task) {
  const all = Array.isArray(task.evidence) ? task.evidence : [task.evidence ?? {}];
  const latest = all.at(-1) ?? {};
  const evidence = { ...latest.parts, ...latest, ...latest.basis };
  const rows = SHOWN.filter((name) => evidence[name] !== null && evidence[name] !== undefined && evidence[name] !== "" && evidence[name] !== "unknown");
  if (!rows.length) return null;
  return h("dl", { class: "facts" }, rows.map((name) => h("div", {}, h("dt", {}, t(`fact.${name}`, { window: windowName() })), h("dd", {}, words(name, evidence[name])))));
}
