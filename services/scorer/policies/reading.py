"""A policy from YAML, or everything that is wrong with it, by line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from services.scorer.core.policy import Fault, Policy
from services.scorer.core.policy.checks import CHECKS, Parts
from services.scorer.policies.convert import ABSENT, Converter
from services.scorer.policies.document import MapNode, read_document
from services.scorer.policies.mistakes import Mistake, PolicyError

if TYPE_CHECKING:
    from pathlib import Path as FilePath


def read_policy(text: str, *, source: str) -> Policy:
    """Return the policy that a YAML 1.2 text holds; ``source`` names it in messages.

    Keys that are left out have the default policy's values.

    Raises:
        PolicyError: it holds none; all mistakes that could be found at once, each with line and remedy.
    """
    document = read_document(text, source=source)
    root = document.root
    if not isinstance(root, MapNode):
        what = "a policy is keys and values, and this is something else"
        remedy = "begin with a line such as `name: my_policy`"
        raise PolicyError(
            source, [*document.mistakes, Mistake(root.line + 1, root.column + 1, "", what, remedy)]
        )
    converter = Converter(root, document.mistakes)
    found = converter.fields(root, Policy, ())
    _check(converter, root, found)
    if converter.mistakes:
        raise PolicyError(source, converter.mistakes)
    return Policy(**found)


def read_policy_file(path: FilePath) -> tuple[Policy, str]:
    """Return the policy in a file, and the file's text.

    Raises:
        PolicyError: the file holds none.
        OSError: it can't be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        mistake = Mistake(line, 1, "", "this is no UTF-8", "save the file as UTF-8")
        raise PolicyError(str(path), [mistake]) from None
    return read_policy(text, source=str(path)), text


def _check(converter: Converter, root: MapNode, found: dict[str, Any]) -> None:
    """Run every check whose parts could be read; what was left out has its default."""
    defaults = {info.name: _default(info) for info in msgspec.structs.fields(Policy)}
    parts = cast("Parts", SimpleNamespace(**{**defaults, **found}))
    broken = {name for name, value in found.items() if value is ABSENT}
    for check in CHECKS:
        if broken.isdisjoint(check.parts):
            for fault in check.faults(parts):
                converter.fault(_of_default(fault, root))


def _of_default(fault: Fault, root: MapNode) -> Fault:
    """Say so when the fault lies in a section that the file leaves to its default."""
    section = fault.at[0] if fault.at else None
    if section is None or section in root.values:
        return fault
    return Fault(
        f"{fault.what} (by default: the file has no section {section})",
        remedy=f"{fault.remedy}, in a section {section}",
        at=fault.at,
    )


def _default(info: msgspec.structs.FieldInfo) -> Any:
    return info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
