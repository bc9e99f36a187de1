"""Which tier: the ladder's level by score and cuts, with hysteresis, dwell and soft landing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.tiers import AT_RISK, LAPSED

if TYPE_CHECKING:
    from services.scorer.core.cuts import Cuts
    from services.scorer.core.policy import Ladder, Policy
    from services.scorer.core.state import State


def value_of(state: State, policy: Policy) -> int:
    """Return what the ladder ranks by: the score in points, or the net spend in minor units."""
    return max(0, state.net_minor) if policy.tiers.by == "spend" else state.score


def first_tier(value: int, cuts: Cuts | None, ladder: Ladder) -> str:
    """Return a newcomer's ranked tier: by the plain cuts, and by percentile never the bottom one.

    A first basket is at the bottom of any base; a newcomer has the dwell's time of grace.
    """
    placed = placed_tier(value, cuts, ladder)
    if ladder.is_fixed or placed != ladder.names[-1]:
        return placed
    return ladder.names[max(ladder.start, len(ladder.names) - 2)]


def placed_tier(value: int, cuts: Cuts | None, ladder: Ladder) -> str:
    """Return where the plain cuts place a value, without regard to what was before."""
    if cuts is None:
        return ladder.names[ladder.start]
    level = next((index for index, edge in enumerate(cuts.points) if value >= edge.plain), len(cuts.points))
    return ladder.names[level]


def wanted_tier(ranked: str, value: int, cuts: Cuts | None, ladder: Ladder) -> str:
    """Return the ranked tier that value and cuts ask for, from where the customer stands.

    Up at once to the best level whose edge is entered; down, with a soft landing, by one level.
    ``wanted_tier(..) != ranked`` is the predicate of whom an adoption concerns: ``store.CONCERNED`` asks
    the same of the columns. Customers outside ``bands_moved`` stand to the new cuts as they stood to the
    old ones, and need no adoption.
    """
    if cuts is None:
        return ranked
    level, edges = ladder.level_of[ranked], cuts.points
    for index in range(level):
        if value >= edges[index].enter:
            return ladder.names[index]
    while level < len(edges) and value < edges[level].leave:
        level += 1
        if ladder.soft_landing:
            break
    return ladder.names[level]


def is_downgrade(ranked: str, wanted: str, ladder: Ladder) -> bool:
    """Return whether ``wanted`` is below ``ranked``."""
    return wanted != ranked and ladder.level_of[wanted] > ladder.level_of[ranked]


def next_tier(
    ranked: str, value: int, cuts: Cuts | None, *, ranked_since_ms: int, now_ms: int, ladder: Ladder
) -> str:
    """Return the ranked tier at ``now_ms``: upgrades at once, no downgrade before the dwell is over."""
    wanted = wanted_tier(ranked, value, cuts, ladder)
    if is_downgrade(ranked, wanted, ladder) and now_ms - ranked_since_ms < ladder.dwell_ms:
        return ranked
    return wanted


def shown_tier(ranked: str, *, orders: int, in_episode: bool, pinned: str | None = None) -> str:
    """Return the tier that people see: the pin, else lapsed, else at risk while a warning stands, else ranked."""
    if pinned is not None:
        return pinned
    if orders == 0:
        return LAPSED
    return AT_RISK if in_episode else ranked
