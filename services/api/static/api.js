// Requests to our own API. A refusal comes as a problem in words.

import { t } from "./texts.js";

/** A refusal: `code` for us, `message` for the reader. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

async function ask(method, path, body, headers = {}) {
  const options = { method, headers: { "X-Tierstream": "desk", ...headers }, signal: AbortSignal.timeout(10000) };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Problem(0, "network", t("error.network"));
  }
  if (answer.status === 401) throw new Problem(401, "sign-in", t("error.sign_in"));
  if (answer.ok || answer.status === 304) return answer;
  const problem = await answer.json().catch(() => ({}));
  const code = (problem.type ?? "").split(":").pop();
  throw new Problem(answer.status, code, problem.detail ?? t("error.network"));
}

const json = async (answer) => (answer.status === 204 ? null : answer.json());

export const get = async (path) => json(await ask("GET", path));
export const post = async (path, body) => json(await ask("POST", path, body));

const kept = new Map();
const pathOf = (id, below = "") => `/v1/customers/${encodeURIComponent(id)}${below}`;

/** Return what is known of a customer, or of what lies below one, at once, if anything. */
export const known = (id, below) => kept.get(pathOf(id, below))?.view;

/** Return a customer, or what lies below one; asked again by its tag, so what did not change is not sent. */
export async function customer(id, below) {
  const path = pathOf(id, below);
  const before = kept.get(path);
  const answer = await ask("GET", path, undefined, before ? { "If-None-Match": before.tag } : {});
  if (answer.status === 304) return before.view;
  const view = await answer.json();
  kept.set(path, { view, tag: answer.headers.get("ETag") });
  if (kept.size > 80) kept.delete(kept.keys().next().value);
  return view;
}

/** Follow the stream; the browser comes back by itself and says where it was. */
export function follow(listeners) {
  const source = new EventSource("/v1/stream");
  source.addEventListener("open", () => listeners.live(true));
  source.addEventListener("error", () => listeners.live(false));
  for (const name of ["task", "overview", "resync"]) {
    if (listeners[name]) source.addEventListener(name, (event) => listeners[name](JSON.parse(event.data)));
  }
  addEventListener("pagehide", () => source.close());
  return source;
}
