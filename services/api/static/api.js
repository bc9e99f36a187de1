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

const customers = new Map();

/** Return what is known of a customer at once, if anything. */
export const knownCustomer = (id) => customers.get(id)?.view;

/** Return a customer; asked again by its tag, so what did not change is not sent. */
export async function customer(id) {
  const known = customers.get(id);
  const path = `/v1/customers/${encodeURIComponent(id)}`;
  const answer = await ask("GET", path, undefined, known ? { "If-None-Match": known.tag } : {});
  if (answer.status === 304) return known.view;
  const view = await answer.json();
  customers.set(id, { view, tag: answer.headers.get("ETag") });
  if (customers.size > 40) customers.delete(customers.keys().next().value);
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
