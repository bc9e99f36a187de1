"""Cut-offs of the crowd, and the tier that a score, the cuts and the past give one customer."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle.clock import DAY_MS

HIGH, REGULAR, AT_RISK, LAPSED = "high_value", "regular", "at_risk", "lapsed"
RANKS = (AT_RISK, REGULAR, HIGH)
DWELL_MS = 90 * DAY_MS
PERCENTS = (18, 20, 22)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Scores at which tiers begin and end, by the percentage of the crowd beyond them."""

    high: dict[int, int]
    low: dict[int, int]


def cuts_of(scores: Sequence[int]) -> Cuts | None:
    """Return the cuts of the active customers' scores, none when nobody is active.

    With k = floor(p N / 100): high(p) is 1 + the (k+1)-th highest score, low(p) the (k+1)-th lowest.
    """
    if not scores:
        return None
    rising = sorted(scores)
    beyond = {p: p * len(rising) // 100 for p in PERCENTS}
    return Cuts(
        high={p: 1 + rising[-1 - k] for p, k in beyond.items()},
        low={p: rising[k] for p, k in beyond.items()},
    )


def first_tier(points: int, cuts: Cuts | None) -> str:
    """Return a newcomer's tier: never the bottom one."""
    return HIGH if cuts is not None and points >= cuts.high[20] else REGULAR


def wanted_tier(points: int, current: str, cuts: Cuts) -> str:
    """Return the tier that score and hysteresis ask for, dwell aside."""
    if points >= cuts.high[18]:
        return HIGH
    if current == HIGH:
        return HIGH if points >= cuts.high[22] else REGULAR
    if current == REGULAR:
        return AT_RISK if points < cuts.low[18] else REGULAR
    return REGULAR if points >= cuts.low[22] else AT_RISK


def next_tier(points: int, current: str, since_ms: int, cuts: Cuts | None, now_ms: int) -> str:
    """Return the ranked tier at ``now_ms``: upgrades at once, downgrades after the dwell."""
    if cuts is None:
        return current
    wanted = wanted_tier(points, current, cuts)
    if RANKS.index(wanted) < RANKS.index(current) and now_ms - since_ms < DWELL_MS:
        return current
    return wanted


def shown_tier(orders: int, ranked: str, *, warned: bool) -> str:
    """Return the tier that people see."""
    if orders == 0:
        return LAPSED
    return AT_RISK if warned else ranked
