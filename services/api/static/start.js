// The first minute: what is happening, filling up live, and one button.

import { follow, post } from "./api.js";
import { byId, h } from "./dom.js";
import { ruleName } from "./evidence.js";
import { boot, headline, number, settle, date, t } from "./texts.js";
import { edges, mark, shownTiers, tierName, tint } from "./tiers.js";

const rows = new Map();

/** Make a row for each tier; another policy has others. */
function buildTiers(tiers) {
  if (tiers.join() === [...rows.keys()].join()) return;
  rows.clear();
  byId("tiers").replaceChildren(
    ...tiers.map((tier) => {
      const count = h("span", { class: "tier-count" }, "0");
      const bar = h("span", { class: "tier-bar", "aria-hidden": "true", vars: { "--tier": tint(tier) } });
      rows.set(tier, { count, bar });
      return h("div", { class: "tier-row" }, h("span", { class: "tier-name" }, mark(tier), tierName(tier)), bar, count);
    }),
  );
}

function show(overview) {
  settle(overview);
  buildTiers(shownTiers(overview));
  byId("now").textContent = headline(overview);
  const largest = Math.max(1, ...Object.values(overview.tiers));
  for (const [tier, { count, bar }] of rows) {
    count.textContent = number(overview.tiers[tier]);
    bar.style.setProperty("--share", overview.tiers[tier] / largest);
  }
  const cuts = overview.cut_offs;
  const unit = cuts?.by === "spend" ? "start.cuts_spend" : "start.cuts";
  byId("cuts").textContent = cuts?.cuts.length ? t(unit, { cuts: edges(cuts) }) : t("start.no_cuts");
  figures(overview);
  warnings(overview.warnings);
}

function figures(overview) {
  const waiting = (overview.tasks.open ?? 0) + (overview.tasks.claimed ?? 0);
  const all = { records: overview.records_applied, tier_changes: overview.tier_changes, warnings_open: overview.warnings_open, tasks_open: waiting };
  byId("figures").replaceChildren(
    ...Object.entries(all).map(([name, n]) => h("div", {}, h("dt", {}, t(`start.${name}`)), h("dd", {}, number(n)))),
  );
}

function warnings(list) {
  const place = byId("warnings");
  if (!place || !list.length) return;
  const key = JSON.stringify(list);
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  place.replaceChildren(
    ...list.map((one) =>
      h(
        "li",
        { class: one.severity === "high" ? "is-high" : "" },
        h("span", { class: "warning-who" }, one.customer_id),
        h("span", { class: "warning-what" }, ruleName(one.rule)),
        h("time", { datetime: one.started_at }, date(one.started_at)),
      ),
    ),
  );
}

async function enter(take, userId) {
  try {
    if (userId) await post("/v1/dev/login", { user_id: userId });
    location.assign(take ? "/desk#take" : "/desk");
  } catch (problem) {
    byId("problem").textContent = problem.message;
  }
}

byId("who")?.addEventListener("submit", (event) => {
  event.preventDefault();
  enter(event.submitter?.value !== "open", new FormData(event.target).get("who"));
});
byId("take")?.addEventListener("click", () => enter(true));
byId("sign-out")?.addEventListener("click", async () => {
  await post("/v1/dev/logout");
  location.reload();
});

if (boot.overview) {
  show(boot.overview);
  const live = byId("live");
  follow({
    overview: show,
    live(on) {
      live.hidden = false;
      live.dataset.live = on ? "on" : "off";
      live.textContent = t(on ? "live.on" : "live.off");
    },
  });
}
