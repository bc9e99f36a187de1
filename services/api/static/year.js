// Twelve months at a glance: purchases as bars, visits as dots, answers as ticks, the tier as the ground.

import { scale } from "./bands.js";
import { h, s } from "./dom.js";
import { amount, date, month, t } from "./texts.js";
import { tint } from "./tiers.js";

const WIDTH = 360;
const HEIGHT = 104;
const TOP = 22;
const FLOOR = 84;
const YEAR_MS = 365 * 86400e3;

/** Return the figure. */
export function year(view) {
  const end = Date.parse(view.facts.as_of);
  const from = end - YEAR_MS;
  const x = scale(from, end, 0, WIDTH);
  const within = (list) => list.filter((one) => Date.parse(one.at) >= from);
  const purchases = within(view.facts.purchases);
  const seen = within(view.facts.recent);
  const largest = Math.max(1, ...purchases.map((one) => Math.abs(one.amount_minor)));
  const label = t("year.image", { purchases: purchases.length, contacts: seen.length, from: date(from), to: date(end), max: amount(largest) });
  const picture = s("svg", { class: "year", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const [tier, start, stop] of grounds(view, from, end)) picture.append(s("rect", { x: x(start), y: TOP - 8, width: Math.max(0.5, x(stop) - x(start)), height: FLOOR - TOP + 8, class: "ground", vars: { "--tier": tint(tier) } }));
  for (const at of months(from, end)) picture.append(s("line", { x1: x(at), x2: x(at), y1: FLOOR, y2: FLOOR + 4, class: "floor" }), s("text", { x: x(at) + 3, y: HEIGHT - 6, class: "axis" }, month(at)));
  const height = scale(0, Math.sqrt(largest), 0, FLOOR - TOP - 6);
  for (const one of purchases) {
    const tall = Math.max(2, height(Math.sqrt(Math.abs(one.amount_minor))));
    const back = one.amount_minor < 0;
    picture.append(s("rect", { x: x(Date.parse(one.at)) - 1.25, y: back ? FLOOR : FLOOR - tall, width: 2.5, height: back ? Math.min(6, tall) : tall, rx: 1, class: back ? "purchase-back" : "purchase" }));
  }
  for (const one of seen) {
    const at = x(Date.parse(one.at));
    const answer = !["viewed", "asked", "carted"].includes(one.kind);
    picture.append(answer ? s("line", { x1: at, x2: at, y1: 3, y2: 11, class: "answer" }) : s("circle", { cx: at, cy: 7, r: 2, class: one.competitor ? "visit visit-competitor" : "visit" }));
  }
  picture.append(s("line", { x1: 0, x2: WIDTH, y1: FLOOR, y2: FLOOR, class: "floor" }));
  return h("figure", { class: "figure" }, h("h3", {}, t("year.title")), picture, legend());
}

function legend() {
  const key = (name, shape) => h("span", {}, s("svg", { viewBox: "0 0 10 10", class: "key", "aria-hidden": "true" }, shape), t(`year.${name}`));
  return h("figcaption", { class: "legend" }, key("purchase", s("rect", { x: 3.5, y: 1, width: 3, height: 8, rx: 1, class: "purchase" })), key("browse", s("circle", { cx: 5, cy: 5, r: 2.5, class: "visit" })), key("response", s("line", { x1: 5, x2: 5, y1: 1, y2: 9, class: "answer" })));
}

/** Return [tier, from, to] of the shown tiers. */
function grounds(view, from, end) {
  const changes = view.timeline.filter((line) => line.kind === "tier").reverse();
  const stretches = [];
  changes.forEach((change, at) => {
    const start = Math.max(from, Date.parse(change.at));
    const stop = at + 1 < changes.length ? Date.parse(changes[at + 1].at) : end;
    if (stop > from) stretches.push([change.current, start, Math.min(stop, end)]);
  });
  return stretches;
}

function months(from, end) {
  const first = new Date(from);
  const all = [];
  for (let n = 1; n <= 12; n += 1) {
    const at = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + n, 1);
    if (at < end) all.push(at);
  }
  return all;
}
