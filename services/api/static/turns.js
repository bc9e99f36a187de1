// Changes of tasks, one at a time, in the order in which they were asked for: none is dropped unsaid.

export class Turns {
  #line = [];
  #refused;
  #idle;
  busy = false;

  /** `refused(task, problem)` says why a change failed, `idle()` is called when nothing is left to do. */
  constructor({ refused, idle }) {
    this.#refused = refused;
    this.#idle = idle;
  }

  /**
   * Do a change of a task when its turn comes. `work` is given the task as the change before left it and
   * returns it as it is then. A later change of the same kind takes the place of one that still waits.
   */
  async ask(task, kind, work) {
    this.#line = this.#line.filter((one) => one.task.id !== task.id || one.kind !== kind);
    this.#line.push({ task, kind, work });
    if (this.busy) return;
    this.busy = true;
    let after = null;
    while (this.#line.length) after = await this.#turn(this.#line.shift(), after);
    this.busy = false;
    this.#idle();
  }

  /** What was asked of a task after the change that failed would rest on it, so it is not done. */
  async #turn({ task, work }, after) {
    try {
      return await work(after?.id === task.id ? after : task);
    } catch (problem) {
      this.#line = this.#line.filter((one) => one.task.id !== task.id);
      await this.#refused(task, problem);
      return null;
    }
  }
}
