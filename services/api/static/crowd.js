// Where a score stands in the crowd: the base's curve, the cut lines, one mark.

import { scale } from "./bands.js";
import { h, s } from "./dom.js";
import { number, share, t } from "./texts.js";

const WIDTH = 360;
const HEIGHT = 84;
const FLOOR = 66;

/** Return the figure. */
export function crowd(view) {
  const { crowd: base, cut_offs: cuts, score } = view;
  const ranked = base.better_than !== null;
  const words = ranked ? t("crowd.better", { share: share(base.better_than), active: number(base.active) }) : t("crowd.outside", { active: number(base.active) });
  const known = cuts && cuts.high_20 !== null;
  const label = known ? t("crowd.image", { score: number(score), high: number(cuts.high_20), low: number(cuts.low_20) }) : t("crowd.no_cuts");
  const x = scale(0, 10000, 0, WIDTH);
  const picture = s("svg", { class: "crowd", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  const outline = area(base.curve);
  if (known) {
    const zones = [["at_risk", 0, cuts.low_20], ["regular", cuts.low_20, cuts.high_20], ["high_value", cuts.high_20, 10000]];
    for (const [tier, from, to] of zones) {
      const clip = `zone-${tier}`;
      picture.append(s("clipPath", { id: clip }, s("rect", { x: x(from), y: 0, width: Math.max(0, x(to) - x(from)), height: HEIGHT })), s("path", { d: outline, class: `zone zone-${tier}`, "clip-path": `url(#${clip})` }));
    }
    const middle = Math.abs(x(cuts.high_20) - x(cuts.low_20)) < 90;
    picture.append(line(x(cuts.low_20), t("crowd.low", { n: number(cuts.low_20) }), middle ? "end" : "middle"), line(x(cuts.high_20), t("crowd.high", { n: number(cuts.high_20) }), middle ? "start" : "middle"));
  } else picture.append(s("path", { d: outline, class: "zone zone-regular" }));
  if (ranked) picture.append(s("line", { x1: x(score), x2: x(score), y1: 4, y2: FLOOR, class: "here" }), s("circle", { cx: x(score), cy: 6, r: 4.5, class: "here-dot" }));
  picture.append(s("line", { x1: 0, x2: WIDTH, y1: FLOOR, y2: FLOOR, class: "floor" }));
  return h("figure", { class: "figure" }, h("h3", {}, t("crowd.title")), picture, h("figcaption", {}, words));
}

function line(at, text, anchor) {
  const shifted = anchor === "middle" ? Math.min(WIDTH - 24, Math.max(24, at)) : at;
  return s("g", {}, s("line", { x1: at, x2: at, y1: 14, y2: FLOOR + 4, class: "cut" }), s("text", { x: shifted, y: HEIGHT - 2, "text-anchor": anchor, class: "axis" }, text));
}

/** A step curve would look like noise with few customers: points in the middle of bands, joined smoothly. */
function area(curve) {
  const softened = curve.map((_, at) => (2 * curve[at] + (curve[at - 1] ?? curve[at]) + (curve[at + 1] ?? curve[at])) / 4);
  const y = scale(0, Math.max(1, ...softened), FLOOR, 14);
  const x = scale(0, curve.length, 0, WIDTH);
  const points = softened.map((n, at) => [x(at + 0.5), y(n)]);
  let path = `M0 ${FLOOR}L${points[0][0]} ${points[0][1]}`;
  for (let at = 1; at < points.length; at += 1) {
    const [px, py] = points[at - 1];
    const [cx, cy] = points[at];
    const mx = (px + cx) / 2;
    path += `C${mx} ${py} ${mx} ${cy} ${cx} ${cy}`;
  }
  return `${path}L${WIDTH} ${FLOOR}Z`;
}
