// What keeps or lifts a tier, segments, predictions, and what can't be told: the server takes a moment for them, so they come later.

import { customer, known } from "./api.js";
import { h } from "./dom.js";
import { ruleName } from "./evidence.js";
import { about, amount, date, either, few, named, number, share, t, tn } from "./texts.js";
import { tierName } from "./tiers.js";

const BELOW = "/outlook";
const ANY_MINOR = 1; // the smallest amount that is tried
const FINDINGS = ["four_way", "eight_way", "value", "stage", "sales_status", "repurchase", "repurchase_predicted", "satisfaction", "loyalty", "relationship"];
const ATTRIBUTES = ["age_band", "sex", "occupation", "region", "channel", "category", "brand", "price_band"];

/** Return four sections: filled with what is known at once, then with what is so now. */
export function outlook(id) {
  const above = h("section", { class: "outlook" });
  const chips = h("section", { class: "segments" });
  const expected = h("section", { class: "expected", hidden: true });
  const unknown = h("section", { class: "unjudged", hidden: true });
  const say = (...lines) => above.replaceChildren(h("h3", {}, t("outlook.title")), ...lines);
  const put = (view) => {
    say(...advice(view));
    chips.replaceChildren(...segments(view));
    fill(expected, predicted(view.predictions));
    fill(unknown, unjudged(view.rules));
  };
  const before = known(id, BELOW);
  if (before) put(before);
  else say(h("p", { class: "quiet" }, "…"));
  customer(id, BELOW)
    .then((view) => view !== before && put(view))
    .catch((problem) => before || say(h("p", { class: "quiet" }, problem.message)));
  return [above, chips, expected, unknown];
}

function fill(section, children) {
  section.replaceChildren(...children);
  section.hidden = !children.length;
}

const capital = (text) => text.replace(/^./, (first) => first.toUpperCase());
const lower = (tier) => tierName(tier).toLowerCase();
const purchase = (minor) => (minor === ANY_MINOR ? t("outlook.any") : t("outlook.purchase", { amount: amount(minor) }));

function advice({ lift, keep, clearing }) {
  const said = [lifts(lift), keeps(keep), clears(clearing)].filter(Boolean);
  if (!said.length) return [h("p", {}, t("outlook.none"))];
  return [...said.map((one) => h("p", {}, one)), h("p", { class: "assumed" }, t("outlook.assumed"))];
}

function lifts(lift) {
  if (!lift?.better) return "";
  const values = { tier: lower(lift.better), amount: amount(lift.usual_minor), n: lift.purchases };
  if (lift.amount_minor !== null) return capital(t("lift.one", { ...values, purchase: purchase(lift.amount_minor) }));
  return t(lift.purchases === null ? "lift.never" : "lift.daily", values);
}

function keeps(keep) {
  if (!keep) return "";
  if (!keep.falls_at) return t("keep.stays", { tier: lower(keep.tier) });
  const falls = date(keep.falls_at);
  const values = { tier: lower(keep.falls_to), date: falls };
  if (keep.amount_minor === null) return t("keep.never", values);
  const latest = date(keep.latest_at);
  values.by = latest === falls ? t("keep.before") : t("keep.by", { date: latest });
  values.purchase = purchase(keep.amount_minor);
  const said = keep.then_falls_at ? t("keep.until", { ...values, until: date(keep.then_falls_at) }) : t("keep.for_good", values);
  if (keep.amount_now_minor === keep.amount_minor) return said;
  return `${said} ${keep.amount_now_minor === null ? t("keep.not_today") : t("keep.today", { purchase: purchase(keep.amount_now_minor) })}`;
}

/** A pin stands in words below the tier already. */
function clears(clearing) {
  if (!clearing || clearing.is_pinned) return "";
  const values = { shown: lower(clearing.shown), ranked: lower(clearing.ranked) };
  if (!clearing.by.length) return t("clear.none", values);
  return t("clear.by", { ...values, what: either(clearing.by.map((one) => t(`clear.${one}`))) });
}

function segments(view) {
  const list = findings(view.segments);
  const why = h("details", { class: "why" }, h("summary", { "aria-label": t("why.of", { what: t("segments.title") }) }, t("why")));
  const reasons = () => h("dl", { class: "reasons" }, list.filter((one) => one.because?.length).map((one) => h("div", {}, h("dt", {}, one.value ? `${one.label}: ${one.value}` : one.label), one.because.map((line) => h("dd", {}, line)))));
  why.addEventListener("toggle", () => why.append(reasons()), { once: true });
  return [h("h3", {}, t("segments.title")), h("ul", { class: "chips" }, list.filter((one) => one.value).map(chip)), why];
}

const chip = ({ label, value }) => h("li", {}, h("span", {}, label), value);

function findings(all) {
  const told = FINDINGS.filter((name) => all[name]).map((name) => {
    const { name: value, evidence, playbook } = all[name];
    return { label: t(`segment.${name}`), value: named(`segment.${name}.${value}`, value), because: playbook ? [...evidence, playbook] : evidence };
  });
  const { rfm, attributes, tags } = all;
  if (rfm) told.unshift({ label: t("segment.rfm"), value: `${rfm.r} · ${rfm.f} · ${rfm.m}` });
  for (const name of ATTRIBUTES) if (attributes[name]) told.push({ label: t(`segment.${name}`), value: attributes[name] });
  if (attributes.evidence.length) told.push({ label: t("segment.bought"), because: attributes.evidence }); // no chip
  for (const tag of tags) told.push({ label: t("segment.tag"), value: tag.text, because: [tag.evidence] });
  return told;
}

/** Return what the model expects: no more digits than a forecast has. */
function predicted(found) {
  if (!found) return [];
  const usable = found.fit === "usable";
  const told = [
    { label: t("predicted.alive"), value: usable ? share(found.alive) : t("predicted.degenerate") },
    { label: t("predicted.buys", { days: tn("time.days", found.within_days) }), value: share(1 - found.no_purchase) },
    { label: t("predicted.purchases"), value: few(found.expected_purchases) },
  ];
  if (found.value_minor !== null) told.push({ label: t("predicted.value"), value: about(found.value_minor) });
  const by = t(usable ? "predicted.by" : "predicted.by_degenerate", { model: named(`model.${found.model}`, found.model) });
  return [h("h3", {}, t("predicted.title")), h("ul", { class: "chips" }, told.map(chip)), h("p", { class: "quiet" }, by)];
}

/** Return the rules that can't judge this customer yet, with what they have and what they would need. */
function unjudged(rules) {
  const list = rules.filter((one) => one.too_little);
  if (!list.length) return [];
  const line = (one) => h("li", {}, h("strong", {}, ruleName(one.rule)), tooLittle(one.too_little).map((said) => h("p", {}, said)));
  return [h("h3", {}, t("unjudged.title")), h("p", { class: "quiet" }, tn("unjudged.lead", list.length)), h("ul", {}, list.map(line))];
}

function tooLittle(found) {
  const values = { recent: tn("orders", found.recent_orders), days: tn("time.days", found.recent_days), past: number(found.past_orders), past_days: tn("time.days", found.past_days), n: number(found.needed_orders) };
  return found.past_days ? [t("unjudged.counts", values), t("unjudged.needs", values)] : [t("unjudged.new", values)];
}
