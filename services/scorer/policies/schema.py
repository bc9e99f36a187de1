"""The JSON Schema of a policy file, for editors: what the reader takes, as far as types can say it.

Sums, overlaps and references between sections are the reader's: ``tierstream policy check`` names them.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

import msgspec

from services.scorer.core.currencies import codes
from services.scorer.core.policy import Policy
from services.scorer.core.policy.scoring import METRICS
from services.scorer.policies.descriptions import DESCRIPTIONS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
FILE: Final = "policy.schema.json"
_TITLE: Final = "A Tierstream policy"
_CURRENCY: Final = {"$ref": "#/$defs/Currency"}


def policy_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12), made from the structs alone."""
    whole = msgspec.json.schema(Policy)
    definitions: dict[str, Any] = {
        name: _described(name, _portable(body)) for name, body in whole["$defs"].items()
    }
    policy = definitions.pop("Policy")
    policy.pop("required", None)
    properties = policy["properties"]
    definitions["Currency"] = {"title": "ISO 4217 code in use", "enum": list(codes())}
    properties["currency"] = {**properties["currency"], **_CURRENCY}
    properties["accepts"]["items"] = _CURRENCY
    properties["rates"]["propertyNames"] = _CURRENCY
    # A rate is written as a number; the quotes are for digits that a machine would lose.
    properties["rates"]["additionalProperties"] = {
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^[0-9.]+$"}]
    }
    for name in ("Weight", "Bonus"):
        definitions[name]["properties"]["metric"]["enum"] = list(METRICS)
    head = {"$schema": DIALECT, "$id": "urn:tierstream:policy", "title": _TITLE}
    return {**head, **{key: value for key, value in policy.items() if key != "title"},
            "$defs": dict(sorted(definitions.items()))}  # fmt: skip


def schema_text() -> str:
    """Return the schema as the file that lies beside this module has it."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def committed_schema_text() -> str:
    """Return the file that lies beside this module."""
    return resources.files("services.scorer.policies").joinpath(FILE).read_text(encoding="utf-8")


def _described(name: str, body: dict[str, Any]) -> dict[str, Any]:
    body.pop("description", None)  # a docstring for programmers
    for key, sentence in DESCRIPTIONS.get(name, {}).items():
        node = body["properties"][key]
        if "$ref" in node:  # a default beside a reference is in order, and editors show it
            body["properties"][key] = {**node, "description": sentence}
        else:
            node["description"] = sentence
    return body


def _portable(node: Any) -> Any:
    r"""Return a part of a schema in ECMAScript's words: its patterns know no ``\Z``; no OpenAPI extras."""
    if isinstance(node, list):
        return [_portable(item) for item in node]
    if not isinstance(node, dict):
        return node
    ported = {key: _portable(value) for key, value in node.items() if key != "discriminator"}
    if isinstance(ported.get("pattern"), str):
        ported["pattern"] = ported["pattern"].replace(r"\Z", "$")
    return ported
