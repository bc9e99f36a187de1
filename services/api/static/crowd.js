// Where a score stands in the crowd: the base's curve, the cut lines, one mark.

import { scale } from "./bands.js";
import { h, s } from "./dom.js";
import { number, share, t, windowName } from "./texts.js";
import { edges, tierName, tint } from "./tiers.js";

const WIDTH = 360;
const HEIGHT = 84;
const FLOOR = 66;
const NEAR = 110; // two labels and a gap
const LETTER = 5.5; // its mean width

/** Return the figure. */
export function crowd(view) {
  const { crowd: base, cut_offs: cuts, score } = view;
  const ranked = base.better_than !== null;
  const words = ranked ? t("crowd.better", { share: share(base.better_than), active: number(base.active) }) : t("crowd.outside", { active: number(base.active), window: windowName() });
  const known = cuts?.by !== "spend" && cuts?.cuts.length; // money has no place on an axis of points
  const label = known ? t("crowd.image", { score: number(score), cuts: edges(cuts) }) : t("crowd.no_cuts");
  const x = scale(0, 10000, 0, WIDTH);
  const picture = s("svg", { class: "crowd", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  const outline = area(base.curve);
  if (known) picture.append(...zones(cuts.cuts, outline, x), ...lines(cuts.cuts, x));
  else picture.append(s("path", { d: outline, class: "zone", vars: { "--tier": tint("regular") } }));
  if (ranked) picture.append(s("line", { x1: x(score), x2: x(score), y1: 4, y2: FLOOR, class: "here" }), s("circle", { cx: x(score), cy: 6, r: 4.5, class: "here-dot" }));
  picture.append(s("line", { x1: 0, x2: WIDTH, y1: FLOOR, y2: FLOOR, class: "floor" }));
  return h("figure", { class: "figure" }, h("h3", {}, t("crowd.title")), picture, h("figcaption", {}, words));
}

/** Return the curve in the colour of each level, the best at the right. */
function zones(cuts, outline, x) {
  const all = cuts.map((one, at) => [one.above, one.plain, cuts[at - 1]?.plain ?? 10000]);
  all.push([cuts.at(-1).below, 0, cuts.at(-1).plain]);
  return all.flatMap(([tier, from, to]) => {
    const clip = `zone-${tier}`;
    return [s("clipPath", { id: clip }, s("rect", { x: x(from), y: 0, width: Math.max(0, x(to) - x(from)), height: HEIGHT })), s("path", { d: outline, class: "zone", vars: { "--tier": tint(tier) }, "clip-path": `url(#${clip})` })];
  });
}

/** Return the cut lines; a label that would stand on its neighbours is left out. */
function lines(cuts, x) {
  const at = cuts.map((one) => x(one.plain));
  return cuts.map((one, n) => {
    const left = at[n] - (at[n + 1] ?? -WIDTH) < NEAR;
    const right = (at[n - 1] ?? 2 * WIDTH) - at[n] < NEAR;
    return line(at[n], left && right ? "" : t("crowd.cut", { tier: tierName(one.from_top ? one.above : one.below).toLowerCase(), n: number(one.plain) }), left ? "start" : right ? "end" : "middle");
  });
}

function line(at, text, anchor) {
  const width = text.length * LETTER;
  const before = { start: 0, middle: width / 2, end: width }[anchor];
  const shifted = Math.min(WIDTH - width + before, Math.max(before, at));
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
