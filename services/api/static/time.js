// The desk's now: a replay's own, or the wall's, set right by every overview.

let base = Date.now();
let at = performance.now();
let runs = true;

/** Take over the time of an overview. */
export function setNow(overview) {
  base = Date.parse(overview.now);
  at = performance.now();
  runs = overview.mode === "wall";
}

/** Return now in ms. */
export const now = () => (runs ? base + performance.now() - at : base);
