// Tiers in words, shapes and colours. The policy names them, so nothing here knows them all.

import { s } from "./dom.js";
import { cut, date, level, named, t } from "./texts.js";

const DRAWN = new Set(["high_value", "regular", "at_risk", "lapsed", "none"]);

export const tierName = (tier) => named(`tier.${tier ?? "none"}`, tier ?? "");

/** Return the shown tiers in order: the levels, the best first, then those shown besides. JSON keeps no order. */
export const shownTiers = ({ levels, tiers }) => [...new Set([...levels, "at_risk", "lapsed", ...Object.keys(tiers)])];

/** Return a tier's colour; levels that have none of their own lie between the best and the plain one. */
export const tint = (tier) => (DRAWN.has(tier) ? `var(--${tier})` : `color-mix(in srgb, var(--high_value) ${Math.round(100 - 100 * level(tier))}%, var(--regular))`);

/** Return a tier's mark: told apart by shape, not by colour alone; an unknown one by its first letter. */
export function mark(tier, label) {
  const name = tier ?? "none";
  const spoken = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  const inner = DRAWN.has(name) ? s("use", { href: `#mark-${name}` }) : [s("circle", { cx: 8, cy: 8, r: 7.2 }), s("text", { x: 8, y: 11.4, "text-anchor": "middle", class: "mark-letter" }, name[0].toUpperCase())];
  return s("svg", { class: "mark", viewBox: "0 0 16 16", vars: { "--tier": tint(name === "none" ? "lapsed" : name) }, ...spoken }, inner);
}

/** Return all edges in one sentence: who is above each, or who is below. */
export const edges = (cuts) =>
  cuts.cuts
    .map((one, at) => {
      const tier = tierName(one.from_top ? one.above : one.below);
      return t(one.from_top ? "cut.from" : "cut.below", { tier: at ? tier.toLowerCase() : tier, n: cut(one.plain) });
    })
    .join(", ");

/** Return in words who pinned a tier, until when, and why. */
export function pinned(pin) {
  const values = { tier: tierName(pin.tier), who: pin.decided_by, cause: pin.cause };
  return pin.until ? t("pin.until", { ...values, date: date(pin.until) }) : t("pin.open", values);
}
