"""Edges of the ladder, and the level that a value, the edges and the past give one customer.

Levels are numbered from the best, 0; the edge of number i lies between the levels i and i + 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle.clock import DAY_MS
from tests.oracle.policy import Ladder

HIGH, AT_RISK, LAPSED = "high_value", "at_risk", "lapsed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The value from which on one is above an edge, read three times."""

    enter: int
    plain: int
    leave: int


Cuts = tuple[Edge, ...]


def shares_of(ladder: Ladder) -> list[tuple[int, bool]]:
    """Return each edge's share in percent, cumulated from its end of the ladder, and whether that is the top."""
    percents = [level.percent or 0 for level in ladder.levels]
    top = [(sum(percents[: i + 1]), True) for i in range(ladder.rest)]
    bottom = [(sum(percents[i:]), False) for i in range(ladder.rest + 1, len(percents))]
    return top + bottom


def cuts_of(scores: Sequence[int], ladder: Ladder) -> Cuts | None:
    """Return the edges by percentile of the scores of those who count, None when nobody does.

    With N scores and k = floor(p N): from the top 1 + the (k+1)-th highest, from the bottom the (k+1)-th lowest.
    """
    if not scores:
        return None
    rising = sorted(scores)

    def read(percent: int, top: bool) -> int:  # noqa: FBT001
        k = percent * len(rising) // 100
        return 1 + rising[-1 - k] if top else rising[k]

    margin = ladder.margin_percent
    return tuple(
        Edge(
            enter=read(p - margin if top else p + margin, top),
            plain=read(p, top),
            leave=read(p + margin if top else p - margin, top),
        )
        for p, top in shares_of(ladder)
    )


def fixed_cuts(ladder: Ladder, per_major: int) -> Cuts:
    """Return the thresholds of a ladder by score (in points) or by spend (in minor units)."""
    unit = 1 if ladder.by == "score" else per_major
    edges = []
    for level in ladder.levels[:-1]:
        enter = round((level.at_least or 0) * unit)
        leave = enter - enter * ladder.margin_percent // 100
        edges.append(Edge(enter=enter, plain=enter, leave=leave))
    return tuple(edges)


def first_level(value: int, cuts: Cuts | None, ladder: Ladder) -> int:
    """Return a newcomer's level; by percentile never a bottom that is a share of the crowd."""
    if cuts is None:
        return ladder.rest
    reached = [i for i, edge in enumerate(cuts) if value >= edge.plain]
    bottom = len(ladder.levels) - 1
    return min(reached, default=bottom if ladder.rest == bottom else bottom - 1)


def next_level(
    value: int, level: int, since_ms: int, cuts: Cuts | None, ladder: Ladder, *, now_ms: int
) -> int:
    """Return the level at ``now_ms``: up at once, down after the dwell."""
    if cuts is None:
        return level
    up = min((i for i, edge in enumerate(cuts) if value >= edge.enter), default=level)
    if up < level:
        return up
    is_bottom = level == len(cuts)
    if is_bottom or value >= cuts[level].leave or now_ms - since_ms < ladder.dwell_days * DAY_MS:
        return level
    if ladder.soft_landing:
        return level + 1
    # Nothing says where a hard landing ends: here at the first level that one would not have to leave.
    return min((i for i, edge in enumerate(cuts) if i > level and value >= edge.leave), default=len(cuts))
