// One task: why, what to do, the note, and how it ended.

import { get, post } from "./api.js";
import { h } from "./dom.js";
import { dueBar, paint } from "./due.js";
import { taskBody } from "./task-body.js";
import { clock, date, has, t } from "./texts.js";
import { Turns } from "./turns.js";

const OUTCOMES = ["reached", "not_reached", "solved", "lost"];
const draftKey = (id) => `tierstream.note.${id}`;
const isClaimed = (task) => task.state === "claimed" && task.lease_token !== null;

export class TaskPane {
  #root;
  #on;
  #turns;
  #claims = new Set(); // tasks whose claim was asked for and is not answered yet
  #chosen = new Map(); // outcomes that wait for such a claim
  #missed = false; // something changed while a change of ours was under way
  #asked = 0;
  #renewedAt = 0;
  task = null;

  constructor(root, listeners) {
    this.#root = root;
    this.#on = listeners;
    this.#turns = new Turns({ refused: (task, problem) => this.#refused(task, problem), idle: () => this.#idle() });
    this.#renderNone();
  }

  get holds() {
    return this.task !== null && isClaimed(this.task) && Date.parse(this.task.lease_until) > Date.now();
  }

  /** Whether the shown task's claim is under way. */
  get claims() {
    return this.#claims.has(this.task?.id);
  }

  #renderNone() {
    this.note = this.outcomes = null;
    this.#root.replaceChildren(h("div", { class: "empty" }, h("p", {}, t("task.none")), h("p", { class: "quiet" }, t("task.none_hint"))));
  }

  /** Show a task; a later call wins over an answer that comes late. */
  async show(id) {
    const mine = ++this.#asked;
    const task = await get(`/v1/tasks/${id}`);
    if (mine !== this.#asked) return null;
    this.#take(task);
    return task;
  }

  /** Show nothing. */
  clear() {
    this.#asked += 1;
    this.task = null;
    this.#renderNone();
  }

  /** Show a task as it is now; whoever is writing or choosing an outcome goes on. */
  #take(task, problem = "") {
    const same = this.task?.id === task.id;
    const place = same ? this.#root.scrollTop : 0;
    const active = same ? document.activeElement : null;
    const caret = active !== null && active === this.note ? active.selectionStart : null;
    const outcome = active === null ? -1 : [...(this.outcomes?.children ?? [])].indexOf(active);
    this.task = task;
    this.#render(problem);
    this.#root.querySelector(".task-body").classList.toggle("is-other", !same);
    this.#root.scrollTop = place;
    if (outcome >= 0) this.outcomes?.children[outcome].focus({ preventScroll: true });
    if (caret === null || !this.note) return;
    this.note.focus({ preventScroll: true });
    this.note.setSelectionRange(caret, caret);
  }

  /** Show the answer to a change, unless the advisor has gone on to another task meanwhile. */
  #takeIfShown(task) {
    if (this.task?.id === task.id) this.#take(task);
  }

  /** Read the shown task again after somebody changed it; what is being written stays. */
  async refresh() {
    if (!this.task) return;
    // A change of ours is under way: its answer may be older than this news, so it is read after it.
    this.#missed = this.#turns.busy;
    if (this.#missed) return;
    const task = await get(`/v1/tasks/${this.task.id}`).catch(() => null);
    this.#missed = this.#turns.busy;
    if (this.#missed || !task || this.task?.id !== task.id || task.version <= this.task.version) return;
    this.#take(task);
  }

  #render(problem) {
    const { task } = this;
    this.bar = dueBar();
    this.due = h("span", { class: "task-due" });
    this.problem = h("p", { class: "problem", role: "alert" }, problem);
    this.#root.replaceChildren(
      h("nav", { class: "pane-nav" }, h("button", { type: "button", class: "plain", onclick: () => this.#on.back() }, `‹ ${t("task.to_queue")}`), h("button", { type: "button", class: "plain", onclick: () => this.#on.customer() }, `${t("task.to_customer")} ›`)),
      taskBody(task, this.bar, this.due),
      h("div", { class: "act" }, this.problem, this.#act()),
    );
    this.tick();
  }

  #act() {
    const { task } = this;
    this.note = this.outcomes = null;
    if (this.claims) return h("div", { class: "act-held" }, this.#noteField(), this.#outcomes());
    if (task.state === "done") return h("p", { class: "ended" }, t("task.done", { outcome: t(`outcome.${task.outcome}`), name: task.closed_by_name }));
    if (task.state === "withdrawn" || task.state === "history") return h("div", {}, h("p", { class: "ended" }, t(has(`closed.${task.closed_by}`) ? `closed.${task.closed_by}` : "closed.other")), this.#keptNote());
    if (task.state === "claimed" && !this.holds) return h("div", {}, h("p", { class: "ended" }, t("queue.held", { name: task.assigned_name })), this.#keptNote());
    if (!this.holds) return h("div", { class: "act-open" }, h("button", { type: "button", class: "primary", "aria-keyshortcuts": "c", onclick: () => this.claim() }, t("task.claim"), h("kbd", {}, "c")), this.#keptNote());
    return h("div", { class: "act-held" }, this.#noteField(), this.#outcomes());
  }

  #keptNote() {
    const kept = localStorage.getItem(draftKey(this.task.id));
    return kept ? h("div", { class: "kept" }, h("p", { class: "quiet" }, t("task.kept_note")), h("blockquote", {}, kept)) : null;
  }

  #noteField() {
    const key = draftKey(this.task.id);
    const saved = h("span", { class: "quiet", "aria-live": "off" });
    this.note = h("textarea", {
      id: "note",
      rows: 2,
      maxlength: 4000,
      placeholder: t("task.note_placeholder"),
      oninput: () => {
        if (this.note.value) localStorage.setItem(key, this.note.value);
        else localStorage.removeItem(key);
        saved.textContent = this.note.value ? t("task.note_draft") : "";
        add.disabled = this.claims || !this.note.value.trim();
        this.#keepLease();
      },
    });
    this.note.value = localStorage.getItem(key) ?? "";
    const add = h("button", { type: "button", class: "small", disabled: this.claims || !this.note.value.trim(), onclick: () => this.addNote() }, t("task.note_add"));
    return h(
      "div",
      { class: "note" },
      h("div", { class: "note-head" }, h("label", { for: "note" }, t("task.note_label")), h("span", { class: "quiet lease" }, this.claims ? t("task.claiming") : t("task.yours_until", { time: clock(this.task.lease_until) }))),
      this.note,
      h("div", { class: "note-foot" }, add, saved, h("button", { type: "button", class: "plain small", disabled: this.claims, onclick: () => this.release() }, t("task.release"))),
    );
  }

  #outcomes() {
    const chosen = this.claims ? this.#chosen.get(this.task.id) : undefined;
    const next = (outcome) => (outcome === chosen ? t("task.chosen") : has(`next.${this.task.playbook}.${outcome}`) ? t(`next.${this.task.playbook}.${outcome}`) : t(`next.other.${outcome}`));
    const button = (outcome, place) => h("button", { type: "button", class: outcome === chosen ? "outcome is-chosen" : "outcome", "aria-keyshortcuts": String(place + 1), onclick: () => this.complete(outcome) }, h("span", { class: "outcome-name" }, t(`outcome.${outcome}`), h("kbd", {}, String(place + 1))), h("span", { class: "outcome-next" }, next(outcome)));
    this.outcomes = h("div", { class: "outcomes", role: "group", "aria-labelledby": "how" }, OUTCOMES.map(button));
    return h("div", {}, h("h3", { id: "how" }, t("task.how_did_it_go")), this.outcomes);
  }

  /** Ask how it went. */
  focusOutcomes() {
    this.outcomes?.querySelector("button")?.focus();
    this.outcomes?.scrollIntoView({ block: "nearest" });
  }

  /** Complete by the number of an outcome. */
  completeByNumber(place) {
    if (OUTCOMES[place - 1]) this.complete(OUTCOMES[place - 1]);
  }

  async claim() {
    const live = this.task?.state === "open" || this.task?.state === "claimed";
    if (!live || this.holds || this.claims) return;
    // The note and the outcomes are there before the answer is: what a fast hand does next is kept for it.
    this.#claims.add(this.task.id);
    this.#take(this.task);
    this.note.focus({ preventScroll: true });
    await this.#turns.ask(this.task, "claim", async ({ id }) => {
      const claim = await post(`/v1/tasks/${id}/claim`);
      this.#claims.delete(id);
      this.#takeIfShown(claim.task);
      this.#claimed(claim);
      return claim.task;
    });
  }

  #claimed(claim) {
    this.#on.status(t("status.claimed", { time: clock(claim.lease_until) }));
  }

  /** Claim the most urgent task of mine and show it. */
  async takeNext() {
    this.#asked += 1;
    const claim = await post("/v1/tasks/next");
    this.#take(claim.task);
    this.note?.focus({ preventScroll: true });
    this.#claimed(claim);
    return claim.task;
  }

  async addNote() {
    await this.#turns.ask(this.task, "note", async (task) => {
      const body = this.#draft(task.id);
      if (!body || !isClaimed(task)) return task;
      await post(`/v1/tasks/${task.id}/note`, { lease_token: task.lease_token, body });
      localStorage.removeItem(draftKey(task.id));
      const noted = await get(`/v1/tasks/${task.id}`);
      this.#takeIfShown(noted);
      if (this.task?.id === task.id) this.note?.focus({ preventScroll: true });
      this.#on.status(t("status.noted"));
      return noted;
    });
  }

  async release() {
    await this.#turns.ask(this.task, "end", async (task) => {
      if (!isClaimed(task)) return task;
      const released = await post(`/v1/tasks/${task.id}/release`, { lease_token: task.lease_token });
      this.#takeIfShown(released);
      this.#on.status(t("status.released"));
      return released;
    });
  }

  /** Complete the shown task, at once or as soon as its claim is there. */
  async complete(outcome) {
    if (!this.outcomes) return;
    if (this.claims) this.#choose(outcome);
    await this.#turns.ask(this.task, "end", async (task) => {
      const { id, lease_token } = task;
      this.#chosen.delete(id);
      if (!isClaimed(task)) return task; // done by the press before
      const done = await post(`/v1/tasks/${id}/complete`, { lease_token, outcome, note: this.#draft(id) });
      localStorage.removeItem(draftKey(id));
      this.#takeIfShown(done);
      this.#on.status(t("status.done", { outcome: t(`outcome.${outcome}`) }));
      this.#on.done(done);
      return done;
    });
  }

  /** Show that an outcome waits for the claim; another press chooses another one. */
  #choose(outcome) {
    this.#chosen.set(this.task.id, outcome);
    this.#take(this.task);
    this.#on.status(t("status.chosen", { outcome: t(`outcome.${outcome}`) }));
  }

  /** Return what is written on a task, null for nothing; what is in the field may be newer than what is kept. */
  #draft(id) {
    const field = this.task?.id === id ? this.note?.value : undefined;
    return (field ?? localStorage.getItem(draftKey(id)) ?? "").trim() || null;
  }

  /** A refusal is said in words, the task is read again, the note stays. */
  async #refused({ id }, problem) {
    this.#claims.delete(id);
    this.#chosen.delete(id);
    const now = problem.status === 409 || problem.status === 404 ? await get(`/v1/tasks/${id}`).catch(() => null) : null;
    if (this.task?.id === id) this.#take(now ?? this.task, problem.message);
    else this.#on.status(problem.message);
  }

  #idle() {
    if (this.#missed) this.refresh();
  }

  /** While somebody writes, the task stays theirs. */
  #keepLease() {
    if (Date.now() - this.#renewedAt < 60000 || !this.holds) return;
    this.#renewedAt = Date.now();
    const { task } = this;
    post(`/v1/tasks/${task.id}/renew`, { lease_token: task.lease_token })
      .then((lease) => {
        task.lease_until = lease.lease_until;
        const line = this.#root.querySelector(".lease");
        if (line) line.textContent = t("task.yours_until", { time: clock(lease.lease_until) });
      })
      .catch(() => {});
  }

  /** Bring the bar up to date; a lease that ran out is noticed here. */
  tick() {
    if (!this.task) return;
    const live = this.task.state === "open" || this.task.state === "claimed";
    if (live) paint(this.bar, this.due, this.task);
    else this.due.textContent = date(this.task.created_at);
    this.bar.hidden = !live;
    if (this.note && !this.holds && !this.claims && !this.#turns.busy) this.#take(this.task);
  }
}
