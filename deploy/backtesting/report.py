"""A backtest's figures as one JSON object. A figure that nothing was found for is null, never 0.

All keys are always there. Shares are from 0 to 1, instants RFC 3339 in UTC, and ``definitions`` says in
words what each figure means.

- ``events``, ``customers``: in the files; with a tier at the end. ``from``, ``to``: first and last event.
- ``policy`` whole, with ``currency`` and ``time_zone`` in force; ``churn_days``: the yardstick; ``midnights``.
- ``tiers``: a row for each level of the policy's ladder, the best first and also when nobody reached it, and
  the ``lapsed``: ``tier``, ``customers`` and ``share`` at the end, ``share_of_active``, ``mean_share``,
  ``mean_share_of_active``.
- ``shown``: the tiers as people see them, in the same order: ``tier``, ``customers``, ``share``,
  ``mean_share``. ``at_risk`` stands there also when the ladder has no such level, and last of all what
  managers pinned and the ladder does not know.
- ``flaps``: ``with_hysteresis`` and ``without_hysteresis`` per customer-year, ``reduction``, both counts
  (``count_with_hysteresis``, ``count_without_hysteresis``), ``customer_days``, ``customer_years``,
  ``customer_days_that_differ``.
- ``rules``: a row for each churn rule of the policy, in its order and also when it never warned: ``rule``,
  ``warnings``, ``judged``, ``censored``, ``true``, ``precision``, ``recall``, ``recall_of_silences``,
  ``lead_days_median``, ``lead_days_mean``. ``base_rate``, ``lost`` and ``silences`` are of all of them.
- ``applied``, ``duplicates``, ``not_scored`` (products and anonymous ids), ``dead_letters`` (by reason):
  what became of the events; ``bad_lines``: lines that are no events: ``count``, ``by_reason``, and the
  ``first`` of them in words.
- ``definitions``; ``processes``, ``seconds``, ``events_per_second``: how it was run.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final

from deploy.backtesting.flaps import WITHIN_DAYS
from deploy.backtesting.judge import Judgement, RuleCounts
from deploy.backtesting.tally import AS_IS, RAW, Seen, Sizes
from schemas.tiers import Tier
from schemas.times import DAY_MS, from_ms
from services.scorer.core.policy import Policy
from services.scorer.offline.replay import Counts

DAYS_OF_A_YEAR: Final = 365.25
_PLACES: Final = 6


@dataclass(frozen=True, kw_only=True)
class Run:
    """What was run, and how long it took."""

    policy: Policy
    events: int
    first_ms: int
    last_ms: int
    churn_days: int
    processes: int
    seconds: float
    bad_lines: dict[str, Any]


def definitions(churn_days: int) -> dict[str, str]:
    """Return what the figures mean, in words."""
    days = churn_days
    return {
        "customer_days": "an active customer (in the percentiles) at a local midnight counts one; "
        f"{DAYS_OF_A_YEAR} of them are a customer-year",
        "tiers": "ranked tiers of active customers, and lapsed; share: of all customers with a tier; "
        "share_of_active: without the lapsed; mean_*: averaged over the local midnights",
        "shown": "tiers as people see them: at_risk here has an open warning or the lowest rank",
        "flap": f"back in the previous ranked tier within {WITHIN_DAYS} days; cut-offs at local midnight; "
        "per customer-year",
        "without_hysteresis": "the same policy with margin 0 and dwell 0",
        "true_warning": f"no purchase in the {days} days after the warning; warnings whose {days} days run "
        "past the end of the history are censored",
        "lost": f"no purchase for {2 * days} days: {days} of silence, and the {days} that prove it right",
        "recall": "share of the lost whom the rule warned of before they were lost",
        "lead_days": "from the rule's first warning of a lost customer to the moment of being lost",
        "recall_of_silences": f"share of the silences of at least {days} days with a warning in them",
        "base_rate": f"share of customer-days that {days} days without a purchase follow: the precision of "
        "warnings at random",
    }


def to_json(run: Run, counts: Counts, seen: Seen) -> dict[str, Any]:
    """Return the report."""
    judgement, rules = seen.judgement, [rule.name for rule in run.policy.churn]
    levels = run.policy.tiers.names
    return {
        "events": run.events,
        "customers": sum(seen.end.shown.values()),
        "from": from_ms(run.first_ms).isoformat(timespec="milliseconds"),
        "to": from_ms(run.last_ms).isoformat(timespec="milliseconds"),
        "currency": run.policy.currency,
        "time_zone": run.policy.time_zone,
        "churn_days": run.churn_days,
        "midnights": len(seen.midnights),
        "tiers": tier_rows(seen, levels),
        "shown": shown_rows(seen, levels),
        "flaps": flap_figures(seen),
        "rules": [rule_figures(rule, judgement.rules[rule], judgement) for rule in rules],
        "base_rate": _share(judgement.silent_days, judgement.days),
        "lost": judgement.lost,
        "silences": judgement.silences,
        "applied": counts.applied,
        "duplicates": counts.duplicates,
        "not_scored": counts.not_scored,
        "dead_letters": dict(sorted(counts.refused.items())),
        "bad_lines": run.bad_lines,
        "definitions": definitions(run.churn_days),
        "policy": run.policy.to_json(),
        "processes": run.processes,
        "seconds": round(run.seconds, 3),
        "events_per_second": round(run.events / run.seconds, 1),
    }


def tier_rows(seen: Seen, levels: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each level of the ladder, of its active customers, and one for the lapsed."""
    lapsed = Tier.LAPSED.value
    rows = [_ranked_row(seen, tier) for tier in levels]
    gone = {
        "tier": lapsed,
        "customers": seen.end.shown[lapsed],
        "share": _share(seen.end.shown[lapsed], _everybody(seen.end)),
        "share_of_active": None,
        "mean_share": _mean((one.shown[lapsed], _everybody(one)) for one in seen.midnights),
        "mean_share_of_active": None,
    }
    return [*rows, gone]


def _ranked_row(seen: Seen, tier: str) -> dict[str, Any]:
    return {
        "tier": tier,
        "customers": seen.end.ranked[tier],
        "share": _share(seen.end.ranked[tier], _everybody(seen.end)),
        "share_of_active": _share(seen.end.ranked[tier], seen.end.ranked.total()),
        "mean_share": _mean((one.ranked[tier], _everybody(one)) for one in seen.midnights),
        "mean_share_of_active": _mean((one.ranked[tier], one.ranked.total()) for one in seen.midnights),
    }


def shown_rows(seen: Seen, levels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the tiers as people see them: the ladder's, at risk, lapsed, and whatever else was pinned."""
    known = [*dict.fromkeys([*levels, Tier.AT_RISK.value, Tier.LAPSED.value])]
    pinned = {tier for sizes in (*seen.midnights, seen.end) for tier in sizes.shown} - {*known}
    return [
        {
            "tier": tier,
            "customers": seen.end.shown[tier],
            "share": _share(seen.end.shown[tier], _everybody(seen.end)),
            "mean_share": _mean((one.shown[tier], _everybody(one)) for one in seen.midnights),
        }
        for tier in [*known, *sorted(pinned)]
    ]


def flap_figures(seen: Seen) -> dict[str, Any]:
    """Return flaps per customer-year under the policy as it is and without its hysteresis."""
    days = sum(one.ranked.total() for one in seen.midnights)
    years = days / DAYS_OF_A_YEAR
    kept, raw = seen.flaps[AS_IS], seen.flaps[RAW]
    return {
        "with_hysteresis": _share(kept, years),
        "without_hysteresis": _share(raw, years),
        "reduction": None if raw == 0 else round(1 - kept / raw, _PLACES),
        "count_with_hysteresis": kept,
        "count_without_hysteresis": raw,
        "customer_days": days,
        "customer_years": round(years, 2),
        "customer_days_that_differ": _share(sum(one.differing for one in seen.midnights), days),
    }


def rule_figures(rule: str, counts: RuleCounts, judgement: Judgement) -> dict[str, Any]:
    """Return how often one rule was right, and how early."""
    return {
        "rule": rule,
        "warnings": counts.warnings,
        "judged": counts.judged,
        "censored": counts.warnings - counts.judged,
        "true": counts.true,
        "precision": _share(counts.true, counts.judged),
        "recall": _share(counts.lost_warned, judgement.lost),
        "recall_of_silences": _share(counts.silences_warned, judgement.silences),
        "lead_days_median": _days(counts.leads_ms, median),
        "lead_days_mean": _days(counts.leads_ms, fmean),
    }


def _everybody(sizes: Sizes) -> int:
    return sizes.shown.total()


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, _PLACES) if whole else None


def _mean(parts: Iterable[tuple[int, int]]) -> float | None:
    """Return the mean of the shares at those midnights that had anybody."""
    shares = [part / whole for part, whole in parts if whole]
    return round(fmean(shares), _PLACES) if shares else None


def _days(leads_ms: array[int], mean: Callable[[array[int]], float]) -> float | None:
    return round(mean(leads_ms) / DAY_MS, 3) if leads_ms else None
