"""YAML 1.2 as plain values that know their place in the file.

Read from the parser's events and not by a YAML library's constructor: so there are no tags, no objects, no
dates or octal surprises, aliases can't multiply (the nodes are counted as if written out), and every value
and key has its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml import events as ev
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from services.scorer.policies.mistakes import Mistake, PolicyError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTES_MAX: Final = 256 * 1024
NODES_MAX: Final = 10_000  # with aliases counted as often as they are used
DEPTH_MAX: Final = 32
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INT_DIGITS_MAX: Final = 300
Scalar = str | int | float | bool | None


@dataclass(slots=True)
class Node:
    """A value with its place; lines and columns from 0, as the parser counts."""

    line: int
    column: int
    size: int = field(default=1, init=False)


@dataclass(slots=True)
class ScalarNode(Node):
    """A word, number, truth value or nothing."""

    value: Scalar
    text: str  # as it was written, so that decimals stay exact


@dataclass(slots=True)
class ListNode(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class MapNode(Node):
    """A mapping; ``keys`` has the places of its keys."""

    values: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Document:
    """A file: its one value, and what was wrong with the writing but could be read past."""

    root: Node
    mistakes: list[Mistake]


def read_document(text: str, *, source: str) -> Document:
    """Return the value that a YAML text holds.

    Raises:
        PolicyError: it is not YAML, too large, or more than plain values.
    """
    if len(text.encode("utf-8", "surrogatepass")) > BYTES_MAX:
        what = f"the file is larger than {BYTES_MAX // 1024} KiB"
        raise PolicyError(source, [Mistake(1, 1, "", what, "a policy is a few pages: keep only those")])
    try:
        return _Builder(source, text).document()
    except ReaderError as error:
        line, column = _place(text, error.position)
        what = "a character that YAML does not allow"
        raise PolicyError(source, [Mistake(line, column, "", what, "take it out")]) from None
    except MarkedYAMLError as error:
        raise PolicyError(source, [_syntax(error)]) from None
    except (YAMLError, ValueError) as error:
        if isinstance(error, PolicyError):
            raise
        raise PolicyError(source, [Mistake(1, 1, "", f"no YAML: {error}", "mend the file")]) from None


class _Builder:
    """Makes nodes of the parser's events, within bounds."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self.mistakes: list[Mistake] = []
        self._events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))
        self._anchors: dict[str, Node | None] = {}  # None: still being read
        self._nodes = 0

    def document(self) -> Document:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, ev.DocumentStartEvent):
                if root is not None:
                    self._refuse(event, "a second document begins", "keep one policy in a file")
                if event.version not in (None, (1, 2)) or event.tags:
                    self._refuse(event, "a directive other than %YAML 1.2", "take the line with the % out")
            elif isinstance(event, ev.NodeEvent):
                root = self._node(event, 0)
        if root is None:
            what = "there is nothing in the file"
            remedy = "begin with a template: tierstream policy new default"
            raise PolicyError(self.source, [Mistake(1, 1, "", what, remedy)])
        return Document(root, self.mistakes)

    def _node(self, event: Any, depth: int) -> Node:
        if depth > DEPTH_MAX:
            self._refuse(event, "it is nested too deep", f"a policy needs less than {DEPTH_MAX} levels")
        if isinstance(event, ev.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            self._refuse(event, f"the tag {shown(str(event.tag))}", "write plain values, without tags")
        self._count(event, 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        mark = event.start_mark
        node: Node
        if isinstance(event, ev.ScalarEvent):
            value = self._scalar(event) if event.implicit[0] else event.value
            node = ScalarNode(mark.line, mark.column, value, event.value)
        elif isinstance(event, ev.SequenceStartEvent):
            node = self._list(mark, depth)
        else:
            node = self._map(mark, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _list(self, mark: Any, depth: int) -> ListNode:
        node = ListNode(mark.line, mark.column)
        for event in self._events:
            if isinstance(event, ev.SequenceEndEvent):
                break
            item = self._node(event, depth + 1)
            node.items.append(item)
            node.size += item.size
        return node

    def _map(self, mark: Any, depth: int) -> MapNode:
        node = MapNode(mark.line, mark.column)
        for event in self._events:
            if isinstance(event, ev.MappingEndEvent):
                break
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            node.size += key.size + value.size
            if not isinstance(key, ScalarNode):
                self._note(event, "a list or mapping as a key", "give the key a plain name")
            elif key.text in node.values:
                first = node.keys[key.text][0] + 1
                what = f"the key {shown(key.text)} stands twice, first in line {first}"
                self._note(event, what, "keep one of them")
            else:
                node.values[key.text] = value
                node.keys[key.text] = (event.start_mark.line, event.start_mark.column)
        return node

    def _alias(self, event: Any) -> Node:
        node = self._anchors.get(event.anchor)
        if node is None:
            name = f"*{event.anchor}"
            self._refuse(event, f"{name} stands for nothing that came before", "write the value out")
        self._count(event, node.size)
        return node

    def _count(self, event: Any, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > NODES_MAX:
            what = f"there are more than {NODES_MAX:,} values, counting what aliases repeat"
            self._refuse(event, what, "a policy is a few pages: keep only those")

    def _scalar(self, event: Any) -> Scalar:
        """Return a plain scalar's value by YAML 1.2's core schema, without octal and hexadecimal numbers."""
        text: str = event.value
        if text in _NULLS:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if _INT.fullmatch(text):
            return int(text) if len(text) <= _INT_DIGITS_MAX else float("inf")
        if _FLOAT.fullmatch(text):
            return float(text)
        if _NO_NUMBER.fullmatch(text):
            return float(text.replace(".", ""))
        return text

    def _mistake(self, event: Any, what: str, remedy: str) -> Mistake:
        mark = event.start_mark
        return Mistake(mark.line + 1, mark.column + 1, "", what, remedy)

    def _note(self, event: Any, what: str, remedy: str) -> None:
        self.mistakes.append(self._mistake(event, what, remedy))

    def _refuse(self, event: Any, what: str, remedy: str) -> NoReturn:
        raise PolicyError(self.source, [*self.mistakes, self._mistake(event, what, remedy)])


def _syntax(error: MarkedYAMLError) -> Mistake:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    problem = str(error.problem or error.context)
    if r"\t" in problem:
        return Mistake(line, column, "", "a tab where the indentation is", "indent with spaces")
    if problem.startswith("mapping values are not allowed"):
        return Mistake(
            line, column, "", "a colon that YAML can't place",
            "check the indentation of this line and the one before; put text with a colon in quotes",
        )  # fmt: skip
    context = f" {error.context}" if error.context and error.problem else ""
    remedy = "check brackets, quotes and indentation here and in the line before"
    return Mistake(line, column, "", f"no YAML: {problem}{context}", remedy)


def _place(text: str, position: int) -> tuple[int, int]:
    """Return line and column of an offset, both from 1."""
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
