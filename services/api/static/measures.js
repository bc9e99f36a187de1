// Metrics in words: what each is called, and its value in its own unit.

import { amount, major, named, number, share, tn } from "./texts.js";

const MONEY = new Set(["spend", "largest_order", "margin", "assets", "predicted_value"]);
const SHARES = new Set(["repurchase_rate", "category_share", "brand_share"]);
const DAYS = new Set(["recency", "purchase_cycle"]);

export const metricName = (metric) => named(`metric.${metric}`, metric);

/** Return a metric's value with its unit. */
export function measured({ metric, value }) {
  if (MONEY.has(metric)) return amount(major(value));
  if (SHARES.has(metric)) return share(value);
  return DAYS.has(metric) ? tn("time.days", Math.round(value)) : number(Math.round(10 * value) / 10);
}
