// The desk: three panes, one selection, one stream.

import { follow, post } from "./api.js";
import { CustomerPane } from "./customer.js";
import { byId } from "./dom.js";
import { keysDialog, listen } from "./keys.js";
import { Queue } from "./queue.js";
import { TaskPane } from "./task.js";
import { boot, headline, settle, t, tn } from "./texts.js";
import { setNow } from "./time.js";

const desk = byId("content");
const OPEN_AFTER_MS = 90; // someone who runs down the queue with j does not ask for every task on the way

function overview(one) {
  settle(one);
  setNow(one);
  byId("now").textContent = headline(one);
  queue?.tick();
  task?.tick();
}

function status(text) {
  byId("status").textContent = text;
  clearTimeout(status.timer);
  status.timer = setTimeout(() => (byId("status").textContent = ""), 6000);
}

/** On a phone one pane shows; on a wide screen this changes nothing. */
function pane(name) {
  desk.dataset.pane = name;
}

let opening = 0;
let coming = null; // the task that is being opened
let meant = null; // a key that came meanwhile: it means that task, not the one still shown
let fresh = 0;
let queue = null;
let task = null;
overview(boot.overview);

const customer = new CustomerPane(byId("customer"), { back: () => pane("task") });
task = new TaskPane(byId("task"), {
  status,
  back: () => pane("queue"),
  customer: () => pane("customer"),
  done(completed) {
    queue.put(completed.id, completed);
    customer.refresh();
    setTimeout(() => coming === null && task.task?.id === completed.id && !queue.openFirst() && task.clear(), 900);
  },
});
queue = new Queue(byId("queue"), {
  onOpen(id) {
    clearTimeout(opening);
    coming = id;
    meant = null;
    const wait = task.task ? OPEN_AFTER_MS : 0;
    opening = setTimeout(() => open(id), wait);
  },
  onNew() {
    fresh += 1;
    clearTimeout(queue.telling);
    queue.telling = setTimeout(() => {
      status(tn("status.new", fresh));
      fresh = 0;
    }, 800);
  },
});

async function open(id) {
  try {
    const shown = await task.show(id).finally(() => coming === id && (coming = null));
    if (!shown) return;
    arrived();
    if (!first) pane("task");
    first = false;
    history.replaceState(null, "", `#task=${id}`);
    await customer.show(shown.customer_id);
  } catch (problem) {
    status(problem.message);
  }
}
let first = false;

/** Return an action of the shown task; while another one is being opened, it waits for that one. */
const acting = (work) => () => {
  if (coming === null) work();
  else meant = work;
};

function arrived() {
  const work = meant;
  meant = null;
  work?.();
}

const begin = async () => {
  queue.load(boot.queue);
  const wanted = location.hash.match(/^#task=(\d+)$/);
  if (location.hash === "#take") {
    history.replaceState(null, "", "/desk");
    try {
      const taken = await task.takeNext();
      queue.selected = taken.id;
      queue.put(taken.id, taken);
      pane("task");
      history.replaceState(null, "", `#task=${taken.id}`);
      await customer.show(taken.customer_id);
    } catch (problem) {
      status(problem.message);
    }
  } else if (wanted) queue.open(Number(wanted[1]));
  else {
    first = true; // a phone begins with the queue
    if (!queue.openFirst({ quietly: true })) first = false;
  }
};

const showKeys = keysDialog();
listen({
  j: () => queue.step(1),
  k: () => queue.step(-1),
  ArrowDown: () => queue.step(1),
  ArrowUp: () => queue.step(-1),
  c: acting(() => task.claim()),
  d: acting(() => (task.outcomes ? task.focusOutcomes() : task.claim())),
  s: acting(() => {
    if (!task.task) return;
    queue.skip(task.task.id);
    status(t("status.skipped"));
  }),
  "/": () => {
    pane("queue");
    queue.search.focus();
  },
  "?": showKeys,
  1: acting(() => task.completeByNumber(1)),
  2: acting(() => task.completeByNumber(2)),
  3: acting(() => task.completeByNumber(3)),
  4: acting(() => task.completeByNumber(4)),
  ctrlEnter: () => task.focusOutcomes(), // from the note: it belongs to the task that is shown
  escape: () => pane(desk.dataset.pane === "customer" ? "task" : "queue"),
});
byId("show-keys").addEventListener("click", showKeys);
byId("sign-out").addEventListener("click", async () => {
  await post("/v1/dev/logout").catch(() => {});
  location.assign("/");
});

follow({
  overview,
  task(event) {
    queue.put(event.task_id, event.task);
    if (task.task?.id === event.task_id) task.refresh().then(() => customer.refresh());
  },
  resync: () => queue.reload().then(() => task.refresh()),
  live(on) {
    byId("live").dataset.live = on ? "on" : "off";
    byId("live").textContent = t(on ? "live.on" : "live.off");
  },
});
setInterval(() => {
  queue.tick();
  task.tick();
}, 5000);
begin();
