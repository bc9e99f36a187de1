// "Why?": the numbers that a tier change rests on.

import { get } from "./api.js";
import { h } from "./dom.js";
import { measured, metricName } from "./measures.js";
import { cut, number, t } from "./texts.js";
import { pinned, tierName } from "./tiers.js";

/** Return a proof as a short table, and how it came, line by line, as soon as it is told. */
export function proof(line, customerId) {
  const { proof: p } = line;
  const row = (name, value) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value));
  const edge = (one) => t("proof.cut", { tier: tierName(one.above), enter: cut(one.enter), leave: cut(one.leave) });
  const notes = p.cut_offs ? [...p.cut_offs.points.map(edge), t("proof.cuts", { n: p.cut_offs_version })] : [t("proof.no_cuts")];
  notes.push(t("proof.policy", { n: p.policy_version }), t("proof.where", { lane: p.lane, seq: number(p.seq) }));
  if (line.causation_id) notes.push(t("proof.because", { id: line.causation_id }));
  if (p.pin) notes.unshift(pinned(p.pin));
  const parts = p.parts.points.map((one) => row(t("proof.part", { metric: metricName(one.metric), value: measured(one) }), number(Math.round(one.points))));
  return h(
    "div",
    { class: "proof" },
    h("table", {}, h("tbody", {}, parts, row(t("proof.score"), number(p.score)))),
    h("ul", {}, notes.map((note) => h("li", {}, note))),
    story(customerId, line.revision),
  );
}

function story(customerId, revision) {
  const place = h("div", { class: "story" });
  const put = ({ story: lines, checks, flaws }) => {
    place.append(h("h4", {}, t("story.title")), h("ol", {}, lines.map((one) => h("li", {}, one))));
    place.append(h("p", { class: checks ? "checks" : "problem" }, t(checks ? "story.checks" : "story.flawed")), ...flaws.map((one) => h("p", { class: "problem" }, one)));
  };
  get(`/v1/customers/${encodeURIComponent(customerId)}/changes/${revision}/story`).then(put, (problem) => place.append(problem.message));
  return place;
}
