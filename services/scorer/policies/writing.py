"""A policy as YAML that explains itself."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from services.scorer.core.policy import Policy
from services.scorer.policies.descriptions import DESCRIPTIONS

_WIDTH: Final = 100
_INDENT: Final = "  "
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*")
# Words that YAML, or an older reader of it, takes for something else.
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_INTEGRAL_MAX: Final = 1e15


def write_policy(policy: Policy) -> str:
    """Return the policy as YAML 1.2 with a comment on each part; reading it gives the same policy.

    Everything is written out: a later version may have other defaults.
    """
    lines = [f"# The policy {policy.name}. Check it after every change: tierstream policy check FILE"]
    for name in Policy.__struct_fields__:
        lines += ["", *_comment(DESCRIPTIONS["Policy"][name], "")]
        lines += _entry(name, getattr(policy, name), "", explained=True)
    return "\n".join(lines) + "\n"


def _entry(key: str, value: Any, indent: str, *, explained: bool) -> Iterator[str]:
    """Yield the lines of one key."""
    name = scalar(key)
    if isinstance(value, msgspec.Struct):
        yield f"{indent}{name}:"
        yield from _struct(value, indent + _INDENT, explained=explained)
    elif isinstance(value, Mapping) and value:
        yield f"{indent}{name}:"
        for inner, one in value.items():
            yield f"{indent}{_INDENT}{scalar(inner)}: {scalar(one)}"
    elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        yield f"{indent}{name}:"
        for one in value:
            yield from _item(one, indent + _INDENT)
    else:
        yield f"{indent}{name}: {_inline(value)}"


def _item(value: msgspec.Struct, indent: str) -> Iterator[str]:
    """Yield a section in a list: in one line where it fits."""
    line = f"{indent}- {{{_flow(value)}}}"
    if len(line) <= _WIDTH:
        yield line
        return
    for number, (name, one) in enumerate(_given(value)):
        yield f"{indent}{'  ' if number else '- '}{name}: {_inline(one)}"


def _struct(value: msgspec.Struct, indent: str, *, explained: bool) -> Iterator[str]:
    sentences = DESCRIPTIONS[type(value).__name__]
    for name, one in _given(value):
        if explained and name in sentences:
            yield from _comment(sentences[name], indent)
        yield from _entry(name, one, indent, explained=explained)


def _given(value: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    """Yield the keys of a section but those that say nothing; the kind first."""
    config = value.__struct_config__
    if config.tag_field is not None:
        yield config.tag_field, config.tag
    for name in value.__struct_fields__:
        one = getattr(value, name)
        if one is not None and one != ():
            yield name, one


def _flow(value: msgspec.Struct) -> str:
    return ", ".join(f"{name}: {_inline(one)}" for name, one in _given(value))


def _inline(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(scalar(one) for one in value) + "]"
    return "{}" if isinstance(value, Mapping) else scalar(value)


def _comment(sentence: str, indent: str) -> list[str]:
    return textwrap.wrap(
        sentence,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_on_hyphens=False,
    )


def scalar(value: object) -> str:
    """Return a scalar as YAML 1.2 reads it back."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _INTEGRAL_MAX:
        return str(int(value))
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return "\\" + character
    if character == " " or (character.isprintable() and ord(character) < 0xFFFE):  # noqa: PLR2004
        return character
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"  # noqa: PLR2004
