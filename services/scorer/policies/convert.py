"""Plain values with places -> the parts of a policy; every mistake on the way is noted, none ends it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from services.scorer.core.policy import Fault
from services.scorer.policies.document import ListNode, MapNode, Node, ScalarNode
from services.scorer.policies.expected import expected
from services.scorer.policies.mistakes import Mistake, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.scorer.policies.document import Scalar

Path = tuple[str | int, ...]


class _Absent:
    """What stands for a value that could not be read."""


ABSENT: Final = _Absent()


@dataclass(slots=True)
class Converter:
    """Converts nodes by type, and keeps the mistakes."""

    root: Node
    mistakes: list[Mistake] = field(default_factory=list)

    def note(self, path: Path, what: str, remedy: str, *, place: tuple[int, int] | None = None) -> None:
        """Note a mistake at ``place``, or where the deepest part of ``path`` that is there stands."""
        line, column = place or place_of(self.root, path)
        self.mistakes.append(Mistake(line + 1, column + 1, dotted(path), what, remedy))

    def convert(self, node: Node, wanted: Any, path: Path) -> Any:
        """Return the value as the type ``wanted``, or ``ABSENT``."""
        wanted = _without_none(wanted, node)
        if _structs_of(wanted):
            return self._struct(node, _structs_of(wanted), path)
        if get_origin(wanted) is tuple:
            return self._list(node, get_args(wanted)[0], path)
        if get_origin(wanted) is dict:
            return self._dict(node, get_args(wanted)[1], path)
        return self._leaf(node, wanted, path)

    def fields(self, node: MapNode, struct: type[msgspec.Struct], path: Path) -> dict[str, Any]:
        """Return the fields that could be read; note unknown and missing ones."""
        hints = hints_of(struct)
        tag = struct.__struct_config__.tag_field
        for key in node.values.keys() - hints.keys() - {tag}:
            near = nearest(key, hints)
            remedy = f"did you mean {near}?" if near else "there are " + ", ".join(hints)
            self.note((*path, key), f"there is no key {shown(key)} here", remedy, place=node.keys[key])
        found: dict[str, Any] = {}
        for info in msgspec.structs.fields(struct):
            if info.name in node.values:
                found[info.name] = self.convert(node.values[info.name], hints[info.name], (*path, info.name))
            elif info.required:
                self.note(
                    path, f"the key {info.name} is missing", f"add {info.name}: {_like(hints[info.name])}"
                )
                found[info.name] = ABSENT
        return found

    def fault(self, fault: Fault, path: Path = ()) -> None:
        """Note a contradiction that a part of the policy found in itself."""
        self.note((*path, *fault.at), fault.what, fault.remedy)

    def _struct(self, node: Node, structs: tuple[type[msgspec.Struct], ...], path: Path) -> Any:
        if not isinstance(node, MapNode):
            self.note(path, f"{_said(node)} where keys are expected", "write keys and values, one in a line")
            return ABSENT
        struct = self._tagged(node, structs, path) if structs[0].__struct_config__.tag_field else structs[0]
        if struct is None:
            return ABSENT
        before = len(self.mistakes)
        found = self.fields(node, struct, path)
        if len(self.mistakes) > before:
            return ABSENT
        try:
            return struct(**found)
        except Fault as fault:
            self.fault(fault, path)
            return ABSENT

    def _tagged(
        self, node: MapNode, structs: tuple[type[msgspec.Struct], ...], path: Path
    ) -> type[msgspec.Struct] | None:
        by_tag = {str(struct.__struct_config__.tag): struct for struct in structs}
        tag = str(structs[0].__struct_config__.tag_field)
        given = node.values.get(tag)
        if given is None:
            typo = nearest(tag, node.values.keys() - set(hints_of(structs[0])))
            if typo is not None:
                what = f"there is no key {shown(typo)} here"
                self.note((*path, typo), what, f"did you mean {tag}?", place=node.keys[typo])
                return None
            self.note(path, f"the key {tag} is missing", f"add {tag}: with one of " + ", ".join(by_tag))
            return None
        text = given.text if isinstance(given, ScalarNode) else ""
        if text not in by_tag:
            near = nearest(text, by_tag)
            hint = f"did you mean {near}? There are " if near else "give one of "
            self.note((*path, tag), f"there is no {tag} {shown(text)}", hint + ", ".join(by_tag))
            return None
        return by_tag[text]

    def _list(self, node: Node, item: Any, path: Path) -> Any:
        if not isinstance(node, ListNode):
            self.note(path, f"{_said(node)} where a list is expected", "write a list: [..], or lines with -")
            return ABSENT
        return _whole(self.convert(one, item, (*path, index)) for index, one in enumerate(node.items))

    def _dict(self, node: Node, value: Any, path: Path) -> Any:
        if not isinstance(node, MapNode):
            self.note(path, f"{_said(node)} where keys are expected", "write keys and values: {EUR: 1.08}")
            return ABSENT
        found = {key: self.convert(one, value, (*path, key)) for key, one in node.values.items()}
        return ABSENT if any(one is ABSENT for one in found.values()) else found

    def _leaf(self, node: Node, wanted: Any, path: Path) -> Any:
        like = expected(wanted)
        if not isinstance(node, ScalarNode):
            self.note(path, f"{_said(node)} where one value is expected", f"give {like.words}")
            return ABSENT
        value: Scalar = node.text if like.keeps_text and _is_number(node.value) else node.value
        if isinstance(value, float) and not math.isfinite(value):
            self.note(path, f"{shown(node.text)} is no number to reckon with", f"give {like.words}")
            return ABSENT
        try:
            return msgspec.convert(value, wanted)
        except (msgspec.ValidationError, OverflowError):
            what = "the value is missing" if value is None else f"the value is {shown(value)}"
            near = nearest(value, like.words_known) if isinstance(value, str) else None
            hint = f"did you mean {near}? Give" if near else "give"
            self.note(path, what, f"{hint} {like.words}")
            return ABSENT


@cache
def hints_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of a struct's fields, by name."""
    hints = get_type_hints(struct, include_extras=True)
    return {name: hints[name] for name in struct.__struct_fields__}


def place_of(root: Node, path: Path) -> tuple[int, int]:
    """Return line and column, from 0, of the deepest part of ``path`` that stands in the document."""
    node, place = root, (root.line, root.column)
    for part in path:
        if isinstance(node, MapNode) and part in node.values:
            place, node = node.keys[str(part)], node.values[str(part)]
        elif isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            place = (node.line, node.column)
        else:
            break
    return place


def dotted(path: Path) -> str:
    """Return a path as one writes it: ``churn[1].days``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _without_none(wanted: Any, node: Node) -> Any:
    """Return ``X`` of ``X | None``, but where nothing is given: then nothing is what is wanted."""
    parts = get_args(wanted)
    if type(None) not in parts or get_origin(wanted) in {Annotated, Literal, tuple, dict}:
        return wanted
    if isinstance(node, ScalarNode) and node.value is None:
        return None
    rest = tuple(part for part in parts if part is not type(None))
    return rest[0] if len(rest) == 1 else wanted


def _structs_of(wanted: Any) -> tuple[type[msgspec.Struct], ...]:
    """Return the structs that the type is, or is one of."""
    if get_origin(wanted) is tuple:
        return ()
    parts = get_args(wanted) or (wanted,)
    return tuple(part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct))


def _whole(items: Iterable[Any]) -> Any:
    found = tuple(items)
    return ABSENT if any(one is ABSENT for one in found) else found


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _said(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return "nothing" if node.value is None else f"the value {shown(node.value)}"
    return "a list" if isinstance(node, ListNode) else "keys and values"


def _like(wanted: Any) -> str:
    return "with its own keys" if _structs_of(wanted) else "with " + expected(wanted).words
