"""What is wrong with a policy file: where, what, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_MAX: Final = 50  # nobody mends more at once


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake in a policy file.

    Attributes:
        line: from 1.
        column: from 1.
        path: the part of the policy, such as ``churn[1].days``; empty for the whole.
        what: what is wrong, in words.
        remedy: what to write instead.
    """

    line: int
    column: int
    path: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """Return it in words, without its place."""
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.what}; {self.remedy}"


class PolicyError(ValueError):
    """A file that is no policy.

    Attributes:
        source: the name of what was read.
        mistakes: all that were found, by place in the file.
    """

    def __init__(self, source: str, mistakes: Iterable[Mistake]) -> None:
        """``mistakes`` in any order, at least one."""
        self.source = source
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Return a line for each mistake, as ``source:line:column: what; remedy``."""
        shown = [f"{self.source}:{one.line}:{one.column}: {one}" for one in self.mistakes[:SHOWN_MAX]]
        more = len(self.mistakes) - len(shown)
        return [*shown, f"{self.source}: and {more} more"] if more else shown


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that looks most like ``word``; None when none does."""
    return next(iter(get_close_matches(word[:64], list(known), n=1, cutoff=0.5)), None)


def shown(value: object) -> str:
    """Return a value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."  # noqa: PLR2004
