"""What is written down of the contracts: JSON Schemas of the events, the diagram of task states.

Made from the structs and the table alone, so that a schema can't promise what the decoder refuses.
``python -m schemas --check`` fails while a committed file says something else than the code.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.events import (
    ALL_EVENTS,
    CustomerDescribed,
    ProductListed,
    PurchaseBody,
    PurchaseRecorded,
    type_of,
)
from schemas.tasks import TRANSITIONS, TaskState

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FOLDER: Final = "json"
EXAMPLE_FOLDER: Final = "examples"
DIAGRAM: Final = "task-states.md"

# What the decoder checks beyond types (``schemas.wire``), in JSON Schema's words.
_RETURNS: Final = {
    "if": {"properties": {"kind": {"const": "return"}}, "required": ["kind"]},
    "then": {"properties": {"amount_minor": {"minimum": 1}}},
}
_RULES: Final[dict[type[msgspec.Struct], dict[str, Any]]] = {
    PurchaseRecorded: _RETURNS,
    PurchaseBody: _RETURNS,
    CustomerDescribed: {
        "dependentRequired": {"assets_minor": ["assets_currency"], "assets_currency": ["assets_minor"]}
    },
    ProductListed: {"dependentRequired": {"price_minor": ["currency"], "currency": ["price_minor"]}},
}


def artefacts() -> dict[str, str]:
    """Return the text of every generated file, by its path below ``schemas/``."""
    texts = {
        schema_path(event): json.dumps(schema_of(event), indent=2, ensure_ascii=False) + "\n"
        for event in ALL_EVENTS
    }
    return texts | {DIAGRAM: diagram()}


def schema_path(event: type[msgspec.Struct]) -> str:
    """Return where an event's JSON Schema lies below ``schemas/``."""
    return f"{SCHEMA_FOLDER}/{type_of(event)}.json"


def example_path(event: type[msgspec.Struct]) -> str:
    """Return where an event's example lies below ``schemas/``; examples are written by hand."""
    return f"{EXAMPLE_FOLDER}/{type_of(event)}.json"


def schema_of(event: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of an event; what it names stands in its own ``$defs``."""
    whole = msgspec.json.schema(event)
    rules = {struct.__name__: rule for struct, rule in _RULES.items()}
    definitions: dict[str, Any] = {
        name: {**_portable(body), **rules.get(name, {})} for name, body in whole["$defs"].items()
    }
    body = definitions.pop(event.__name__)
    head = {"$schema": DIALECT, "$id": f"urn:tierstream:{type_of(event)}"}
    tail = {"$defs": dict(sorted(definitions.items()))} if definitions else {}
    return {**head, **body, **tail}


def diagram() -> str:
    """Return a page with the moves between task states, drawn by Mermaid from the table."""
    left = {state for state, _ in TRANSITIONS}
    lines = [f"    [*] --> {TaskState.OPEN}"]
    lines += [f"    {state} --> {after}: {action}" for (state, action), after in TRANSITIONS.items()]
    lines += [f"    {state} --> [*]" for state in TaskState if state not in left]
    drawn = "\n".join(lines)
    return (
        "# Task states\n\n"
        "Made from `schemas/tasks.py` by `python -m schemas --write`. Any move that is not drawn is refused.\n\n"
        f"```mermaid\nstateDiagram-v2\n{drawn}\n```\n"
    )


def write(root: Path) -> list[str]:
    """Write what differs, take away schemas of no event; return the paths that changed."""
    changed = lagging(root)
    wanted = artefacts()
    for name in changed:
        path = root / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()
    return changed


def lagging(root: Path) -> list[str]:
    """Return the generated files that are missing, differ, or belong to no event; in order of path."""
    wanted = artefacts()
    found = {f"{SCHEMA_FOLDER}/{path.name}" for path in (root / SCHEMA_FOLDER).glob("*.json")}
    differ = {name for name, text in wanted.items() if _text(root / name) != text}
    return sorted(differ | (found - wanted.keys()))


def missing_examples(root: Path) -> list[str]:
    """Return where an example has yet to be written by hand."""
    return [example_path(event) for event in ALL_EVENTS if not (root / example_path(event)).is_file()]


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _portable(node: Any) -> Any:
    r"""Return a part of a schema as other languages read it: docstrings without indentation, ``$`` for ``\Z``.

    JSON Schema's patterns are ECMAScript's, whose ``$`` is the very end and whose ``\Z`` is a letter.
    """
    if isinstance(node, list):
        return [_portable(item) for item in node]
    if not isinstance(node, dict):
        return node
    ported = {key: _portable(value) for key, value in node.items()}
    if isinstance(ported.get("description"), str):
        ported["description"] = inspect.cleandoc(ported["description"])
    if isinstance(ported.get("pattern"), str):
        ported["pattern"] = ported["pattern"].replace(r"\Z", "$")
    return ported
