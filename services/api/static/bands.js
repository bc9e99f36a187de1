// Scales shared by the small drawings.

/** Return a linear scale, rounded to tenths so that paths stay short. */
export const scale = (from, to, low, high) => (value) => Math.round((low + ((value - from) / Math.max(1e-9, to - from)) * (high - low)) * 10) / 10;
