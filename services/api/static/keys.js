// The keyboard: single letters outside fields, and a page that names them.

import { byId, h } from "./dom.js";
import { t } from "./texts.js";

const NAMES = [["j", "j"], ["k", "k"], ["Enter", "enter"], ["c", "c"], ["Ctrl Enter", "ctrl_enter"], ["d", "d"], ["1 – 4", "1"], ["s", "s"], ["/", "slash"], ["Esc", "esc"], ["?", "question"]];
const isField = (element) => element.matches?.("input, textarea, select");

/** Build the list of keys; return what opens it. */
export function keysDialog() {
  const dialog = byId("keys");
  dialog.append(
    h("h2", { id: "keys-title" }, t("keys.title")),
    h("dl", { class: "keys" }, NAMES.map(([key, name]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, t(`keys.${name}`))))),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, t("keys.close"))),
  );
  return () => dialog.showModal();
}

/** Hand keys to `actions` by name; a field keeps its letters. */
export function listen(actions) {
  addEventListener("keydown", (event) => {
    if (byId("keys").open || event.isComposing) return;
    const inField = isField(event.target);
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && inField) return run(event, actions.ctrlEnter);
    if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
    if (event.key === "Escape") return inField ? event.target.blur() : actions.escape();
    return inField ? undefined : run(event, actions[event.key]);
  });
}

function run(event, action) {
  if (!action) return;
  event.preventDefault();
  action();
}
