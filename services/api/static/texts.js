// Words, dates and money, all from the page's catalogue and the reader's locale.

const boot = JSON.parse(document.getElementById("boot").textContent);
const { texts, language } = boot;
const plural = new Intl.PluralRules(language);
let money = null;
let zone = "UTC";
let base = { levels: [], ranks_by: "percentile", window_days: 365 };

export { boot };

/** Return the text of a key; `{name}` is replaced by values.name. */
export function t(key, values = {}) {
  const text = texts[key];
  if (text === undefined) throw new Error(`no text for ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Whether there is a text. */
export const has = (key) => key in texts;

/** Return the text of a name that a policy chose; without one, the name itself, made readable. */
export const named = (key, name) => (has(key) ? t(key) : name.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase()));

/** Return the text of a count: `key.one` or `key.other`. */
export function tn(key, n, values = {}) {
  return t(`${key}.${plural.select(n) === "one" ? "one" : "other"}`, { n: number(n), ...values });
}

/** Learn the policy: currency, time zone, levels, window. */
export function settle(overview) {
  if (!overview) return;
  base = overview;
  zone = overview.time_zone;
  const digits = { minimumFractionDigits: overview.exponent, maximumFractionDigits: overview.exponent };
  money = new Intl.NumberFormat(language, { style: "currency", currency: overview.currency, ...digits });
  money.unit = 10 ** overview.exponent;
}

export const number = (n) => new Intl.NumberFormat(language).format(n);
export const share = (n) => (n > 0 && n < 0.005 ? t("share.tiny") : n >= 0.995 && n < 1 ? t("share.most") : new Intl.NumberFormat(language, { style: "percent" }).format(n));
/** Return an expected count to a tenth; what is less is not nothing. */
export const few = (n) => (n > 0 && n < 0.05 ? t("number.tiny") : number(Math.round(10 * n) / 10));
export const amount = (minor) => (money ? money.format(minor / money.unit) : number(minor));
/** Return an expected amount in whole units: its cents would say more than anybody knows. */
export const about = (minor) => (money ? new Intl.NumberFormat(language, { style: "currency", currency: base.currency, maximumFractionDigits: 0 }).format(minor / money.unit) : number(minor));
/** Return one or another, in words. */
export const either = (list) => new Intl.ListFormat(language, { type: "disjunction" }).format(list);
/** Return minor units of an amount in major ones. */
export const major = (value) => value * (money?.unit ?? 1);
/** Return a cut-off: points, or money where customers are ranked by it. */
export const cut = (n) => (base.ranks_by === "spend" ? amount(n) : number(n));
/** Return where a level stands: 0 is the best, 1 the last. */
export const level = (tier) => Math.max(0, base.levels.indexOf(tier)) / Math.max(1, base.levels.length - 1);
/** Return the time in which purchases count. */
export const windowName = () => (base.window_days === 365 ? t("time.year") : tn("time.days", base.window_days));

const DATE = { day: "numeric", month: "short", year: "numeric" };
const format = (at, options) => new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { timeZone: zone, ...options }).format(new Date(at));

export const date = (at) => format(at, DATE);
export const longDate = (at) => format(at, { day: "numeric", month: "long", year: "numeric" });
export const day = (at) => format(at, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
export const month = (at) => format(at, { month: "narrow" });
/** The reader's own wall clock: leases run on it, in a replay too. */
export const clock = (at) => new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { hour: "2-digit", minute: "2-digit" }).format(new Date(at));

/** Return a length of time in its largest fitting unit. */
export function span(ms) {
  const minutes = Math.round(ms / 60000);
  if (minutes < 90) return t("time.minutes", { n: Math.max(1, minutes) });
  const hours = Math.round(minutes / 60);
  if (hours < 48) return t("time.hours", { n: hours });
  return tn("time.days", Math.round(hours / 24));
}

/** Return the headline of an overview. */
export function headline(overview) {
  if (!overview.customers) return t("now.empty");
  const customers = tn("customers", overview.customers);
  return t(`now.${overview.mode}`, { customers, date: longDate(overview.now) });
}
