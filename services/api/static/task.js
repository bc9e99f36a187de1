// One task: why, what to do, the note, and how it ended.

import { get, post } from "./api.js";
import { h } from "./dom.js";
import { dueBar, paint } from "./due.js";
import { facts } from "./facts.js";
import { clock, date, day, has, t } from "./texts.js";
import { mark, tierName } from "./tiers.js";

const OUTCOMES = ["reached", "not_reached", "solved", "lost"];
const draftKey = (id) => `tierstream.note.${id}`;

export class TaskPane {
  #root;
  #on;
  #busy = false;
  #claiming = false;
  #asked = 0;
  #renewedAt = 0;
  task = null;

  constructor(root, listeners) {
    this.#root = root;
    this.#on = listeners;
    this.#renderNone();
  }

  get holds() {
    return this.task?.state === "claimed" && this.task.lease_token !== null && Date.parse(this.task.lease_until) > Date.now();
  }

  #renderNone() {
    this.#root.replaceChildren(h("div", { class: "empty" }, h("p", {}, t("task.none")), h("p", { class: "quiet" }, t("task.none_hint"))));
  }

  /** Show a task; a later call wins over an answer that comes late. */
  async show(id) {
    const mine = ++this.#asked;
    const task = await get(`/v1/tasks/${id}`);
    if (mine !== this.#asked) return null;
    this.#claiming = false;
    this.#take(task);
    return task;
  }

  /** Show nothing. */
  clear() {
    this.#asked += 1;
    this.#claiming = false;
    this.task = null;
    this.#renderNone();
  }

  /** Show a task as it is now; whoever is writing goes on writing. */
  #take(task, problem = "") {
    const same = this.task?.id === task.id;
    const place = same ? this.#root.scrollTop : 0;
    const caret = same && this.note && document.activeElement === this.note ? this.note.selectionStart : null;
    this.task = task;
    this.#render(problem);
    this.#root.querySelector(".task-body").classList.toggle("is-other", !same);
    this.#root.scrollTop = place;
    if (caret === null || !this.note) return;
    this.note.focus({ preventScroll: true });
    this.note.setSelectionRange(caret, caret);
  }

  /** Read the shown task again after somebody changed it; what is being written stays. */
  async refresh() {
    if (!this.task || this.#busy) return;
    const before = this.task;
    const task = await get(`/v1/tasks/${before.id}`).catch(() => null);
    if (!task || this.task?.id !== task.id || task.version === this.task.version) return;
    this.#take(task);
  }

  #render(problem) {
    const { task } = this;
    this.bar = dueBar();
    this.due = h("span", { class: "task-due" });
    this.problem = h("p", { class: "problem", role: "alert" }, problem);
    this.#root.replaceChildren(
      h("nav", { class: "pane-nav" }, h("button", { type: "button", class: "plain", onclick: () => this.#on.back() }, `‹ ${t("task.to_queue")}`), h("button", { type: "button", class: "plain", onclick: () => this.#on.customer() }, `${t("task.to_customer")} ›`)),
      h(
        "article",
        { class: "task-body" },
        h("p", { class: "eyebrow" }, mark(task.tier, tierName(task.tier)), h("span", {}, task.customer_id), h("span", {}, t(`kind.${task.kind}`)), this.due),
        h("h2", { class: "task-title" }, task.title),
        this.bar,
        h("p", { class: "lead" }, task.why),
        facts(task),
        this.#advice(),
        this.#causes(),
        this.#notes(),
      ),
      h("div", { class: "act" }, this.problem, this.#act()),
    );
    this.tick();
  }

  #advice() {
    const [first, ...rest] = this.task.advice.split(/(?<=[.!?])\s+(?=\p{Lu})/u);
    return h("section", { class: "advice" }, h("h3", {}, t("task.advice")), h("p", { class: "advice-first" }, first), rest.length ? h("ul", {}, rest.map((line) => h("li", {}, line))) : null);
  }

  #causes() {
    const more = (this.task.causes ?? []).slice(1);
    if (!more.length) return null;
    return h("section", { class: "causes" }, h("h3", {}, t("task.causes")), h("ul", {}, more.map((cause) => h("li", { class: cause.ended_by ? "is-over" : "" }, cause.sentence))));
  }

  #notes() {
    if (!this.task.notes.length) return null;
    const line = (note) => h("li", {}, h("p", {}, note.body), h("p", { class: "quiet" }, `${note.author_name}, ${day(note.at)}`));
    return h("section", { class: "notes" }, h("h3", {}, t("task.notes")), h("ul", {}, this.task.notes.map(line)));
  }

  #act() {
    const { task } = this;
    this.note = null;
    if (this.#claiming) return h("div", { class: "act-held" }, this.#noteField(), this.#outcomes());
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
        add.disabled = this.#claiming || !this.note.value.trim();
        this.#keepLease();
      },
    });
    this.note.value = localStorage.getItem(key) ?? "";
    const add = h("button", { type: "button", class: "small", disabled: this.#claiming || !this.note.value.trim(), onclick: () => this.addNote() }, t("task.note_add"));
    return h(
      "div",
      { class: "note" },
      h("div", { class: "note-head" }, h("label", { for: "note" }, t("task.note_label")), h("span", { class: "quiet lease" }, this.#claiming ? t("task.claiming") : t("task.yours_until", { time: clock(this.task.lease_until) }))),
      this.note,
      h("div", { class: "note-foot" }, add, saved, h("button", { type: "button", class: "plain small", disabled: this.#claiming, onclick: () => this.release() }, t("task.release"))),
    );
  }

  #outcomes() {
    const next = (outcome) => (has(`next.${this.task.playbook}.${outcome}`) ? t(`next.${this.task.playbook}.${outcome}`) : t(`next.other.${outcome}`));
    const button = (outcome, place) => h("button", { type: "button", class: "outcome", disabled: this.#claiming, "aria-keyshortcuts": String(place + 1), onclick: () => this.complete(outcome) }, h("span", { class: "outcome-name" }, t(`outcome.${outcome}`), h("kbd", {}, String(place + 1))), h("span", { class: "outcome-next" }, next(outcome)));
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
    if (this.holds && OUTCOMES[place - 1]) this.complete(OUTCOMES[place - 1]);
  }

  async claim() {
    const live = this.task?.state === "open" || this.task?.state === "claimed";
    if (!live || this.holds || this.#busy) return;
    // The note is there before the answer is: what a fast hand types next belongs into it.
    this.#claiming = true;
    this.#take(this.task);
    this.note.focus({ preventScroll: true });
    await this.#change(async ({ id }) => {
      const claim = await post(`/v1/tasks/${id}/claim`);
      this.#claiming = false;
      if (this.task?.id === id) this.#taken(claim);
    });
  }

  /** Take over a claim that was just made. */
  #taken(claim) {
    this.#take(claim.task);
    this.note?.focus({ preventScroll: true });
    this.#on.status(t("status.claimed", { time: clock(claim.lease_until) }));
  }

  /** Claim the most urgent task of mine and show it. */
  async takeNext() {
    this.#asked += 1;
    const claim = await post("/v1/tasks/next");
    this.#taken(claim);
    return claim.task;
  }

  async addNote() {
    const body = this.note.value.trim();
    if (!body) return;
    await this.#change(async ({ id, lease_token }) => {
      await post(`/v1/tasks/${id}/note`, { lease_token, body });
      localStorage.removeItem(draftKey(id));
      this.#take(await get(`/v1/tasks/${id}`));
      this.note?.focus({ preventScroll: true });
      this.#on.status(t("status.noted"));
    });
  }

  async release() {
    await this.#change(async ({ id, lease_token }) => {
      this.#take(await post(`/v1/tasks/${id}/release`, { lease_token }));
      this.#on.status(t("status.released"));
    });
  }

  async complete(outcome) {
    await this.#change(async ({ id, lease_token }) => {
      const note = this.note?.value.trim() || null;
      const task = await post(`/v1/tasks/${id}/complete`, { lease_token, outcome, note });
      localStorage.removeItem(draftKey(id));
      this.#take(task);
      this.#on.status(t("status.done", { outcome: t(`outcome.${outcome}`) }));
      this.#on.done(task);
    });
  }

  /** Do one change at a time; a refusal is said in words, the task is read again, the note stays. */
  async #change(work) {
    if (this.#busy) return;
    this.#busy = true;
    const { id } = this.task;
    try {
      await work(this.task);
    } catch (problem) {
      this.#claiming = false;
      const now = problem.status === 409 || problem.status === 404 ? await get(`/v1/tasks/${id}`).catch(() => null) : null;
      if (this.task?.id === id) this.#take(now ?? this.task, problem.message);
    } finally {
      this.#busy = false;
    }
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
    if (this.note && !this.holds && !this.#busy && !this.#claiming) this.#take(this.task);
  }
}
