// "Why?": the numbers that a tier change rests on.

import { h } from "./dom.js";
import { amount, number, t } from "./texts.js";

/** Return a proof as a short table. */
export function proof(line) {
  const { proof: p } = line;
  const points = (n) => number(Math.round(n));
  const row = (name, value) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value));
  const cuts = p.cut_offs;
  const notes = cuts
    ? [t("proof.high", { enter: number(cuts.high_18), leave: number(cuts.high_22) }), t("proof.low", { enter: number(cuts.low_18), leave: number(cuts.low_22) }), t("proof.cuts", { n: p.cut_offs_version })]
    : [t("proof.no_cuts")];
  notes.push(t("proof.policy", { n: p.policy_version }), t("proof.where", { lane: p.lane, seq: number(p.seq) }));
  if (line.causation_id) notes.push(t("proof.because", { id: line.causation_id }));
  return h(
    "div",
    { class: "proof" },
    h(
      "table",
      {},
      h(
        "tbody",
        {},
        row(t("proof.spend", { amount: amount(p.parts.spend_minor) }), points(p.parts.spend_points)),
        row(t("proof.orders", { n: number(p.parts.orders) }), points(p.parts.orders_points)),
        row(t("proof.days", { n: number(p.parts.purchase_days) }), points(p.parts.repurchase_points)),
        row(t("proof.score"), number(p.score)),
      ),
    ),
    h("ul", {}, notes.map((note) => h("li", {}, note))),
  );
}
