"""The ladder of tiers: any number of levels, by percentile of the crowd or by fixed thresholds."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from schemas.events import CutPoint, CutPoints
from schemas.tiers import LAPSED
from schemas.times import DAY_MS
from services.scorer.core.policy.fault import Fault, Name, Percent, Positive, PositiveFloat

LEVELS_MIN, LEVELS_MAX = 2, 12
WHOLE: Final = 100
SCORE_MAX: Final = 10_000


class Level(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tier of the ladder."""

    name: Name
    percent: Percent | None = None  # by percentile: its share of the crowd
    at_least: PositiveFloat | None = None  # by score or spend: points, or major units


class Edge(NamedTuple):
    """The edge below a level of a percentile ladder."""

    percent: int  # cumulated from the top or from the bottom
    from_top: bool


class Ladder(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """The levels, the best first, and what keeps customers from flapping between them.

    By percentile exactly one level has no ``percent``: the rest. The levels above it count their share
    from the top, those below it from the bottom. By score or spend every level but the last has
    ``at_least``.
    """

    by: Literal["percentile", "score", "spend"] = "percentile"
    levels: tuple[Level, ...] = (
        Level(name="high_value", percent=20),
        Level(name="regular"),
        Level(name="at_risk", percent=20),
    )
    # Hysteresis: percentage points of rank, or percent of a fixed threshold.
    margin_percent: Percent = 2
    dwell_days: Annotated[int, Meta(ge=0, le=3_660)] = 90  # no downgrade within this time of the last change
    soft_landing: bool = True  # at most one level down per change
    orders_min: Positive = 1  # in the window; with fewer one is outside the percentiles

    def __post_init__(self) -> None:
        """Refuse a ladder that nobody can stand on."""
        if not LEVELS_MIN <= len(self.levels) <= LEVELS_MAX:
            raise Fault(
                f"there are {len(self.levels)} levels",
                remedy=f"name {LEVELS_MIN} to {LEVELS_MAX}, the best first",
                at=("levels",),
            )
        for index, level in enumerate(self.levels):
            if level.name == LAPSED or level.name in self.names[:index]:
                raise Fault(
                    f"the name {level.name} is taken",
                    remedy="give every level a name of its own; lapsed is shown for who bought nothing",
                    at=("levels", index, "name"),
                )
        if self.by == "percentile":
            self._check_percents()
        else:
            self._check_thresholds()

    def _check_percents(self) -> None:
        for index, level in enumerate(self.levels):
            if level.at_least is not None:
                raise Fault(
                    "at_least is for ladders by score or spend",
                    remedy="give percent, or set by: score or by: spend",
                    at=("levels", index, "at_least"),
                )
        rest = [index for index, level in enumerate(self.levels) if level.percent is None]
        if len(rest) != 1:
            raise Fault(
                f"{len(rest)} levels have no percent",
                remedy="leave percent out of exactly one level: it holds the rest",
                at=("levels",),
            )
        shares = sum(level.percent or 0 for level in self.levels)
        if shares + 2 * self.margin_percent >= WHOLE:
            raise Fault(
                f"the tiers overlap: shares of {shares} % and margins of 2 x {self.margin_percent} leave no rest",
                remedy="lower a percent or margin_percent, so that shares and both margins stay below 100",
                at=("levels",),
            )
        for index, level in enumerate(self.levels):
            if level.percent is not None and level.percent < max(1, self.margin_percent):
                raise Fault(
                    f"{level.name} has {level.percent} %, less than the margin of {self.margin_percent}",
                    remedy="raise its percent or lower margin_percent",
                    at=("levels", index, "percent"),
                )

    def _check_thresholds(self) -> None:
        *upper, last = self.levels
        for index, level in enumerate(self.levels):
            if level.percent is not None:
                raise Fault(
                    "percent is for ladders by percentile",
                    remedy="give at_least, or set by: percentile",
                    at=("levels", index, "percent"),
                )
        if last.at_least is not None:
            raise Fault(
                f"the last level, {last.name}, has a threshold",
                remedy="leave at_least out of it: it takes everybody else",
                at=("levels", len(upper), "at_least"),
            )
        for index, level in enumerate(upper):
            if level.at_least is None:
                raise Fault(f"{level.name} has no threshold", remedy="give it at_least", at=("levels", index))
            if self.by == "score" and level.at_least > SCORE_MAX:
                raise Fault(
                    f"{level.name} begins at {level.at_least:g}, and a score ends at {SCORE_MAX}",
                    remedy="give points from 1 to 10000",
                    at=("levels", index, "at_least"),
                )
        for index, (above, below) in enumerate(pairwise(upper)):
            if (above.at_least or 0) <= (below.at_least or 0):
                raise Fault(
                    f"the tiers overlap: {above.name} does not begin above {below.name}",
                    remedy="list the levels from the best down, each with a lower at_least",
                    at=("levels", index + 1, "at_least"),
                )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The levels' names, the best first."""
        return tuple(level.name for level in self.levels)

    @cached_property
    def level_of(self) -> dict[str, int]:
        """Index of each level by name; 0 is the best."""
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def is_fixed(self) -> bool:
        """Whether the crowd has no say."""
        return self.by != "percentile"

    @cached_property
    def start(self) -> int:
        """The level of a newcomer while there are no cuts."""
        if self.is_fixed:
            return len(self.levels) - 1
        return next(index for index, level in enumerate(self.levels) if level.percent is None)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """The edges between the levels of a percentile ladder, the best first."""
        if self.is_fixed:
            return ()
        shares = [level.percent or 0 for level in self.levels]
        above = [Edge(sum(shares[: index + 1]), from_top=True) for index in range(self.start)]
        below = [Edge(sum(shares[index:]), from_top=False) for index in range(self.start + 1, len(shares))]
        return tuple(above + below)

    @cached_property
    def dwell_ms(self) -> int:
        """How long a ranked tier is safe from a downgrade."""
        return self.dwell_days * DAY_MS

    def fixed_cuts(self, minor_per_major: int) -> CutPoints | None:
        """Return the thresholds as cuts, in points or minor units; None when the crowd decides."""
        if not self.is_fixed:
            return None
        unit = 1 if self.by == "score" else minor_per_major
        points = []
        for level in self.levels[:-1]:
            enter = round((level.at_least or 0) * unit)
            leave = enter - enter * self.margin_percent // WHOLE
            points.append(CutPoint(above=level.name, enter=enter, plain=enter, leave=leave))
        return CutPoints(points=tuple(points))
