// What a warning rests on, in words: each kind of rule has its own.

import { date, has, named, number, share, t, tn } from "./texts.js";

export const ruleName = (rule) => named(`rule.${rule}`, rule);

const SIGNS_MAX = 3; // the strongest come first
const days = (n) => tn("time.days", n);
const BASIS = {
  silence: (b) => ({ days: days(b.silent_days), date: date(b.silent_since) }),
  frequency: (b) => ({ recent: number(b.recent_orders), days: days(b.recent_days), past: number(b.past_orders), past_days: days(b.past_days), pace: share(b.ratio), chance: share(b.probability) }),
  competitor: (b) => ({ competitor: b.competitor, date: date(b.at) }),
  model: (b) => ({ chance: share(1 - b.probability_no_purchase), days: days(b.within_days), alive: share(b.probability_alive) }),
  disengaged: (b) => ({ date: date(b.at) }),
};

/** Return the sentences of a warning's evidence: what it rests on, then the likely reason and its signs. */
export function sentences(evidence) {
  const { basis, reason, reason_evidence: signs = [] } = evidence;
  const said = [];
  if (basis && BASIS[basis.type]) said.push(t(`basis.${basis.what ?? basis.type}`, BASIS[basis.type](basis)));
  if (reason && reason !== "unknown") said.push(t("reason", { reason: reasonName(reason) }));
  return [...said, ...signs.slice(0, SIGNS_MAX)];
}

export const reasonName = (reason) => (has(`reason.${reason}`) ? t(`reason.${reason}`) : reason);
