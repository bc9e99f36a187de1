// The queue: most urgent first, live, and never moving what is under the pointer.

import { get } from "./api.js";
import { h } from "./dom.js";
import { due, dueBar, paint } from "./due.js";
import { boot, number, t, tn } from "./texts.js";
import { mark, shownTiers, tierName } from "./tiers.js";

const order = (a, b) => a.urgency - b.urgency || Date.parse(a.due_at) - Date.parse(b.due_at) || a.id - b.id;
const isLive = (card) => card.state === "open" || card.state === "claimed";

export class Queue {
  #cards = new Map();
  #lines = new Map();
  #fresh = new Set(); // came in while the pointer was here: shown when it leaves
  #gone = new Set();
  #skipped = new Set();
  #cursor = null;
  #total = 0;
  #filter = { search: "", tier: null, overdue: false, kind: null };
  #hovered = false;
  #onOpen;
  #onNew;
  selected = null;

  constructor(root, { onOpen, onNew }) {
    this.#onOpen = onOpen;
    this.#onNew = onNew;
    this.count = h("p", { class: "queue-count" });
    this.fresh = h("button", { type: "button", class: "queue-new", hidden: true, title: t("queue.show_new"), onclick: () => this.#settle() });
    this.search = h("input", { type: "search", placeholder: t("queue.search"), "aria-label": t("queue.search"), "aria-keyshortcuts": "/", oninput: () => this.#refilter({ search: this.search.value.trim().toLowerCase() }) });
    this.list = h("ol", { class: "queue-list" });
    this.more = h("button", { type: "button", class: "queue-more", hidden: true, onclick: () => this.#loadMore() }, t("queue.more"));
    this.empty = h("div", { class: "empty", hidden: true });
    const title = t(boot.me.role === "manager" ? "queue.all" : "queue.title");
    root.append(
      h("div", { class: "queue-head" }, h("div", { class: "queue-title" }, h("h2", { id: "queue-title" }, title), this.fresh, this.count), this.search, this.#filters()),
      h("div", { class: "queue-scroll" }, this.empty, this.list, this.more),
    );
    this.list.addEventListener("pointerenter", () => (this.#hovered = true));
    this.list.addEventListener("pointerleave", () => {
      this.#hovered = false;
      this.#settle();
    });
  }

  #filters() {
    const toggle = (attributes, pressed, onclick, ...children) => {
      const button = h("button", { type: "button", class: "toggle", "aria-pressed": "false", ...attributes, onclick: () => onclick() }, ...children);
      button.sync = () => button.setAttribute("aria-pressed", String(pressed()));
      return button;
    };
    const tiers = shownTiers(boot.overview).map((tier) => {
      const label = t("queue.filter.tier", { tier: tierName(tier) });
      return toggle({ "aria-label": label, title: label }, () => this.#filter.tier === tier, () => this.#refetch({ tier: this.#filter.tier === tier ? null : tier }), mark(tier));
    });
    const late = toggle({}, () => this.#filter.overdue, () => this.#refilter({ overdue: !this.#filter.overdue }), t("queue.filter.overdue"));
    this.kind = h("select", { "aria-label": t("queue.filter.kind"), hidden: true, onchange: () => this.#refetch({ kind: this.kind.value || null }) });
    this.toggles = [...tiers, late];
    return h("div", { class: "queue-filters" }, this.toggles, this.kind);
  }

  /** Show the first page that the server gave. */
  load(page) {
    this.#cards = new Map(page.tasks.map((card) => [card.id, card]));
    this.#cursor = page.next_cursor;
    this.#total = page.total;
    this.#gone.clear();
    this.#fresh.clear();
    this.#offerKinds();
    this.#render();
  }

  /** Read the queue again. */
  async reload() {
    this.load(await get(`/v1/tasks?${this.#query()}`));
  }

  #query(extra = {}) {
    const asked = { limit: 100, tier: this.#filter.tier, kind: this.#filter.kind, ...extra };
    return new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== null));
  }

  async #loadMore() {
    const page = await get(`/v1/tasks?${this.#query({ cursor: this.#cursor })}`);
    for (const card of page.tasks) this.#cards.set(card.id, card);
    this.#cursor = page.next_cursor;
    this.#render();
  }

  #offerKinds() {
    const kinds = [...new Set([...this.#cards.values()].map((card) => card.kind))].sort();
    if (kinds.length < 2 && !this.#filter.kind) return;
    this.kind.hidden = false;
    this.kind.replaceChildren(h("option", { value: "" }, t("queue.filter.any_kind")), ...kinds.map((kind) => h("option", { value: kind, selected: kind === this.#filter.kind }, t(`kind.${kind}`))));
  }

  #refilter(change) {
    Object.assign(this.#filter, change);
    this.#render();
  }

  #refetch(change) {
    Object.assign(this.#filter, change);
    this.#render();
    this.reload().catch(() => {});
  }

  /** Take in a change: a card, or null when the task is no longer ours to see. */
  put(id, card) {
    const known = this.#cards.has(id);
    if (card && isLive(card) && this.#belongs(card)) {
      this.#cards.set(id, card);
      this.#gone.delete(id);
      if (known) return this.#render();
      this.#total += 1;
      this.#fresh.add(id);
      this.#onNew();
    } else if (known) {
      this.#gone.add(id);
      this.#total -= 1;
    } else return undefined;
    return this.#hovered ? this.#render() : this.#settle();
  }

  #belongs(card) {
    return (!this.#filter.tier || card.tier === this.#filter.tier) && (!this.#filter.kind || card.kind === this.#filter.kind);
  }

  /** Let everything that waited for the pointer come and go. */
  #settle() {
    const arriving = new Set(this.#fresh);
    for (const id of this.#gone) this.#cards.delete(id);
    this.#gone.clear();
    this.#fresh.clear();
    this.#render(arriving);
  }

  #shown() {
    const { search, overdue } = this.#filter;
    const cards = [...this.#cards.values()].filter((card) => !this.#fresh.has(card.id));
    const matching = cards.filter((card) => (!search || `${card.customer_id} ${card.title}`.toLowerCase().includes(search)) && (!overdue || due(card).late));
    return matching.sort((a, b) => this.#skipped.has(a.id) - this.#skipped.has(b.id) || order(a, b));
  }

  #render(arriving = new Set()) {
    const cards = this.#shown();
    for (const toggle of this.toggles) toggle.sync();
    const late = [...this.#cards.values()].filter((card) => due(card).late).length;
    this.count.replaceChildren(tn("queue.count", this.#total), late ? h("span", { class: "is-late" }, t("queue.overdue", { n: number(late) })) : "");
    this.fresh.hidden = this.#fresh.size === 0;
    this.fresh.textContent = tn("queue.new", this.#fresh.size);
    this.more.hidden = this.#cursor === null;
    this.empty.hidden = cards.length > 0;
    const filtered = this.#cards.size > 0;
    if (!cards.length) this.empty.replaceChildren(h("p", {}, t(filtered ? "queue.no_match" : "queue.empty")), filtered ? "" : h("p", { class: "quiet" }, t("queue.empty_hint")));
    const lines = cards.map((card) => this.#line(card, arriving.has(card.id)));
    const kept = new Set(lines);
    for (const [id, line] of this.#lines) {
      if (kept.has(line)) continue;
      line.remove();
      this.#lines.delete(id);
    }
    // Only what stands elsewhere is moved: moving a focused element would lose its focus.
    lines.forEach((line, place) => {
      if (this.list.children[place] !== line) this.list.insertBefore(line, this.list.children[place] ?? null);
    });
  }

  #line(card, arriving) {
    let line = this.#lines.get(card.id);
    if (!line || line.version !== card.version || line.gone !== this.#gone.has(card.id)) {
      const fresh = this.#build(card);
      if (arriving) fresh.classList.add("is-new");
      if (line) {
        const focused = line.contains(document.activeElement);
        line.replaceWith(fresh);
        if (focused) fresh.button.focus({ preventScroll: true });
      }
      this.#lines.set(card.id, fresh);
      line = fresh;
    }
    line.button.setAttribute("aria-current", String(card.id === this.selected));
    paint(line.bar, line.due, card);
    return line;
  }

  #build(card) {
    const bar = dueBar();
    const words = h("span", { class: "line-due" });
    const gone = this.#gone.has(card.id);
    const button = h(
      "button",
      { type: "button", class: "line", onclick: () => this.open(card.id) },
      h("span", { class: "line-who" }, mark(card.tier, tierName(card.tier)), card.customer_id),
      words,
      h("span", { class: "line-what" }, card.title),
      this.#holder(card),
      bar,
    );
    const line = h("li", { class: `line-item${gone ? " is-gone" : ""}` }, button);
    return Object.assign(line, { button, bar, due: words, version: card.version, gone });
  }

  #holder(card) {
    if (this.#gone.has(card.id)) return h("span", { class: "line-held" }, t("queue.gone"));
    const mine = card.assigned_to === boot.me.user_id;
    if (card.state === "claimed") return h("span", { class: "line-held is-held" }, mine ? t("queue.mine") : t("queue.held", { name: card.assigned_name }));
    if (mine) return null;
    return h("span", { class: "line-held" }, card.assigned_name ?? t("queue.unassigned"));
  }

  /** Select and open a task. */
  open(id, { quietly = false } = {}) {
    this.selected = id;
    for (const [other, line] of this.#lines) line.button.setAttribute("aria-current", String(other === id));
    this.#lines.get(id)?.button.scrollIntoView({ block: "nearest" });
    if (!quietly) this.#lines.get(id)?.button.focus({ preventScroll: true });
    this.#onOpen(id);
  }

  /** Move the selection; from nothing, to the first. */
  step(delta) {
    const ids = this.#shown().map((card) => card.id);
    if (!ids.length) return;
    const at = ids.indexOf(this.selected);
    this.open(at < 0 ? ids[0] : ids[Math.min(ids.length - 1, Math.max(0, at + delta))]);
  }

  /** Open the first task that nobody holds; false when there is none. */
  openFirst(options) {
    const first = this.#shown().find((card) => !this.#gone.has(card.id) && card.state === "open");
    if (first) this.open(first.id, options);
    return Boolean(first);
  }

  /** Put a task at the end, in this window only, and go on. */
  skip(id) {
    if (!this.#cards.has(id)) return;
    const ids = this.#shown().map((card) => card.id);
    const next = ids[ids.indexOf(id) + 1] ?? ids[0];
    this.#skipped.add(id);
    this.#render();
    this.open(next);
  }

  /** Bring all bars up to date. */
  tick() {
    for (const [id, line] of this.#lines) paint(line.bar, line.due, this.#cards.get(id));
  }
}
