"""Templates to start from, one for each trade; read from the installed package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from services.scorer.policies.mistakes import nearest
from services.scorer.policies.reading import read_policy
from services.scorer.policies.writing import scalar

# In the order in which they are shown.
NAMES: Final = (
    "default",
    "retail",
    "e_commerce",
    "automotive",
    "hospitality",
    "finance",
    "cosmetics",
    "small_shop",
)
_SCHEMA_LINE: Final = "# yaml-language-server: $schema="
_GOAL: Final = "# Goal: "


class NoSuchTemplateError(ValueError):
    """There is no template of that name."""


@dataclass(frozen=True, slots=True)
class Template:
    """A policy to start from."""

    name: str
    goal: str  # a sentence
    text: str  # YAML, with the schema's place beside it


def template(name: str) -> Template:
    """Return a template by its name; ``e-commerce`` is ``e_commerce``.

    Raises:
        NoSuchTemplateError: it says which there are.
    """
    known = name.replace("-", "_")
    if known not in NAMES:
        near = nearest(known, NAMES)
        hint = f"did you mean {near}? There are " if near else "there are "
        raise NoSuchTemplateError(f"there is no template {name}; {hint}" + ", ".join(NAMES))
    return _load(known)


def templates() -> tuple[Template, ...]:
    """Return every template, the default one first."""
    return tuple(_load(name) for name in NAMES)


def started(name: str, *, currency: str | None = None, time_zone: str | None = None) -> str:
    """Return a template's YAML for a file of one's own, in another currency or time zone if given.

    Raises:
        NoSuchTemplateError: there is none of that name.
        PolicyError: no such currency or time zone.
    """
    found = template(name)
    text = found.text.replace(
        f"{_SCHEMA_LINE}../policy.schema.json",
        f"{_SCHEMA_LINE}policy.schema.json\n# That file for your editor: tierstream policy schema > policy.schema.json",
        1,
    )
    for key, value in (("currency", currency), ("time_zone", time_zone)):
        if value is not None:
            (line,) = re.findall(rf"(?m)^{key}: [^\s#]+", text)
            text = text.replace(line, f"{key}: {scalar(value)}", 1)
    read_policy(text, source=f"template {found.name}")
    return text


@cache
def _load(name: str) -> Template:
    text = resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    goal = next(line for line in text.splitlines() if line.startswith(_GOAL))
    return Template(name, goal.removeprefix(_GOAL), text)
