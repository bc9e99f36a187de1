"""The columns of ``cutoffs.csv``: what each cut of a ladder is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from services.scorer.core.policy import Ladder, Policy

ENTER, PLAIN, LEAVE = range(3)
CUTS_OF_AN_EDGE: Final = 3


class Column(NamedTuple):
    """One column, and where its number stands in the table's ``cuts``."""

    name: str
    place: int


def columns_of(ladder: Ladder) -> list[Column]:
    """Return the columns of a ladder's cuts.

    By percentile ``high_20`` is the cut that 20 % stand above, ``low_20`` the one that 20 % stand below; those
    counted from the top come first. With a margin an edge has three, in the order of their percents. A
    fixed ladder has ``from_{level}``: from there on a newcomer gets it.
    """
    if ladder.is_fixed:
        return [
            Column(f"from_{name}", CUTS_OF_AN_EDGE * level + PLAIN)
            for level, name in enumerate(ladder.names[:-1])
        ]
    columns = []
    for level, edge in enumerate(ladder.edges):
        side, kinds = ("high", (ENTER, PLAIN, LEAVE)) if edge.from_top else ("low", (LEAVE, PLAIN, ENTER))
        margin = ladder.margin_percent
        for kind, percent in zip(kinds, (-margin, 0, margin), strict=True):
            column = Column(f"{side}_{edge.percent + percent}", CUTS_OF_AN_EDGE * level + kind)
            if margin or kind == PLAIN:  # without a margin all three are one
                columns.append(column)
    return columns


class CutColumns:
    """The columns of all policies that cut-offs were computed under; a row fills those of its own."""

    def __init__(self, policies: Mapping[int, Policy]) -> None:
        """Lay out the columns, by version."""
        self._of = {version: columns_of(policy.tiers) for version, policy in policies.items()}
        self.names = list(dict.fromkeys(column.name for columns in self._of.values() for column in columns))

    def cells(self, policy_version: int, cuts: Sequence[int] | None) -> list[int | str]:
        """Return a row's cells in the order of ``names``; empty where it has no such cut.

        Raises:
            KeyError: there is no policy of this version.
        """
        values = {} if cuts is None else {one.name: cuts[one.place] for one in self._of[policy_version]}
        return [values.get(name, "") for name in self.names]
