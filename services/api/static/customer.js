// The customer: tier, what keeps or lifts it, score and its parts, the crowd, the year, what is open, what was.

import { customer, known } from "./api.js";
import { crowd } from "./crowd.js";
import { h } from "./dom.js";
import { ruleName, sentences } from "./evidence.js";
import { measured, metricName } from "./measures.js";
import { outlook } from "./outlook.js";
import { timeline } from "./timeline.js";
import { date, number, t } from "./texts.js";
import { mark, pinned, tierName } from "./tiers.js";
import { year } from "./year.js";

export class CustomerPane {
  #root;
  #on;
  #asked = 0;
  #shown = null;

  constructor(root, listeners) {
    this.#root = root;
    this.#on = listeners;
    this.clear();
  }

  clear() {
    this.#asked += 1;
    this.#shown = null;
    this.#root.replaceChildren(h("div", { class: "empty" }, h("p", { class: "quiet" }, t("customer.none"))));
  }

  /** Show a customer: what is known at once, then as it is now. */
  async show(id) {
    const mine = ++this.#asked;
    const before = known(id);
    if (before) this.#render(before);
    try {
      const view = await customer(id);
      if (mine === this.#asked && view !== this.#shown) this.#render(view);
    } catch (problem) {
      if (mine === this.#asked && !before) this.#root.replaceChildren(h("p", { class: "problem", role: "alert" }, problem.message));
    }
  }

  /** Read the shown customer again. */
  refresh() {
    if (this.#shown) this.show(this.#shown.customer_id);
  }

  #render(view) {
    const same = this.#shown?.customer_id === view.customer_id;
    const place = same ? this.#root.scrollTop : 0;
    this.#shown = view;
    const [advice, segments, expected, unjudged] = outlook(view.customer_id);
    const inside = h("div", { class: same ? "customer-body" : "customer-body is-other" });
    inside.append(
      h("nav", { class: "pane-nav" }, h("button", { type: "button", class: "plain", onclick: () => this.#on.back() }, `‹ ${t("task.title")}`)),
      head(view),
      advice,
      score(view),
      crowd(view),
      year(view),
      segments,
      expected,
      warnings(view),
      unjudged,
      view.next_due ? h("section", {}, h("h3", {}, t("next.title")), h("p", {}, t("next.due", { date: date(view.next_due) }))) : "",
      h("section", {}, h("h3", {}, t("timeline.title")), timeline(view)),
    );
    this.#root.replaceChildren(inside);
    this.#root.scrollTop = place;
  }
}

function head(view) {
  const tier = h("p", { class: "customer-tier" }, mark(view.tier), h("strong", {}, tierName(view.tier)), view.tier_since ? h("span", { class: "quiet" }, t("customer.since", { date: date(view.tier_since) })) : null);
  const differs = view.ranked_tier && view.ranked_tier !== view.tier;
  const ranked = differs ? h("p", { class: "quiet" }, t("customer.ranked", { tier: tierName(view.ranked_tier).toLowerCase(), date: date(view.ranked_since) })) : null;
  const pin = view.facts.pin ? h("p", { class: "pin" }, pinned(view.facts.pin)) : null;
  return h("header", { class: "customer-head" }, h("h2", {}, view.customer_id), tier, ranked, pin);
}

function score(view) {
  const { points } = view.facts.parts;
  const shade = (at) => ({ "--shade": `${Math.round(100 - (68 * at) / Math.max(2, points.length - 1))}%` });
  const bar = points.map((one, at) => h("span", { class: "part", vars: { "--points": one.points, ...shade(at) } }));
  const legend = points.map((one, at) => h("div", {}, h("dt", {}, h("span", { class: "part-key", "aria-hidden": "true", vars: shade(at) }), metricName(one.metric)), h("dd", {}, measured(one), h("span", { class: "quiet" }, t("part.points", { n: number(Math.round(one.points)) })))));
  return h(
    "section",
    { class: "score" },
    h("h3", {}, t("customer.score")),
    h("p", { class: "score-figure" }, number(view.score), h("span", { class: "quiet" }, t("customer.of"))),
    h("div", { class: "parts", "aria-hidden": "true" }, bar),
    h("dl", { class: "parts-legend" }, legend),
  );
}

function warnings(view) {
  if (!view.warnings.length) return "";
  const line = (one) => h("li", { class: one.severity === "high" ? "is-high" : "" }, h("strong", {}, ruleName(one.rule)), h("span", { class: "quiet" }, t("warnings.since", { date: date(one.started_at) })), sentences(one.evidence).map((said) => h("p", {}, said)));
  return h("section", { class: "open-warnings" }, h("h3", {}, t("warnings.title")), h("ul", {}, view.warnings.map(line)));
}
