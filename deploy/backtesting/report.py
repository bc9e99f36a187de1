"""A backtest's figures as one JSON object, and as tables for people."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

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
    """Return the report; keys are stable, a figure that nothing was found for is null."""
    judgement = seen.judgement
    return {
        "events": run.events,
        "customers": sum(seen.end.shown.values()),
        "from": from_ms(run.first_ms).isoformat(timespec="milliseconds"),
        "to": from_ms(run.last_ms).isoformat(timespec="milliseconds"),
        "currency": run.policy.currency,
        "time_zone": run.policy.time_zone,
        "churn_days": run.churn_days,
        "midnights": len(seen.midnights),
        "tiers": tier_rows(seen),
        "shown": shown_rows(seen),
        "flaps": flap_figures(seen),
        "rules": [rule_figures(rule, judgement.rules[rule], judgement) for rule in sorted(judgement.rules)],
        "base_rate": _share(judgement.silent_days, judgement.days),
        "lost": judgement.lost,
        "silences": judgement.silences,
        "applied": counts.applied,
        "duplicates": counts.duplicates,
        "not_scored": counts.not_scored,
        "dead_letters": dict(sorted(counts.refused.items())),
        "definitions": definitions(run.churn_days),
        "policy": run.policy.to_json(),
        "processes": run.processes,
        "seconds": round(run.seconds, 3),
        "events_per_second": round(run.events / run.seconds, 1),
    }


def tier_rows(seen: Seen) -> list[dict[str, Any]]:
    """Return ranked tiers of the active customers, largest mean first, and the lapsed."""
    lapsed = Tier.LAPSED.value
    rows = [_ranked_row(seen, tier) for tier in _by_size(seen, lambda sizes: sizes.ranked)]
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


def shown_rows(seen: Seen) -> list[dict[str, Any]]:
    """Return the tiers as people see them, largest mean first."""
    return [
        {
            "tier": tier,
            "customers": seen.end.shown[tier],
            "share": _share(seen.end.shown[tier], _everybody(seen.end)),
            "mean_share": _mean((one.shown[tier], _everybody(one)) for one in seen.midnights),
        }
        for tier in _by_size(seen, lambda sizes: sizes.shown)
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


def print_tables(report: dict[str, Any], console: Console) -> None:
    """Print the report for people."""
    console.print(
        f"{report['events']:,} events of {report['customers']:,} customers, {report['from'][:10]} to "
        f"{report['to'][:10]}, in {report['seconds']:.1f} s ({report['events_per_second']:,.0f} events/s, "
        f"processes: {report['processes']})",
        highlight=False,
    )
    refused = ", ".join(f"{reason} {count:,}" for reason, count in report["dead_letters"].items())
    if refused:
        console.print(f"dead letters: {refused}", highlight=False)
    console.print(_tiers(report), _shown(report), _flaps(report["flaps"]), _rules(report))
    for name in ("true_warning", "lost", "recall", "lead_days", "recall_of_silences", "base_rate", "flap"):
        console.print(f"[dim]{name.replace('_', ' ')}: {report['definitions'][name]}[/]", highlight=False)


def _tiers(report: dict[str, Any]) -> Table:
    table = _table("ranked tiers", "at the end", "share", "of active", "mean share", "mean of active")
    for row in report["tiers"]:
        shares = ("share", "share_of_active", "mean_share", "mean_share_of_active")
        table.add_row(row["tier"], f"{row['customers']:,}", *(_percent(row[name]) for name in shares))
    return table


def _shown(report: dict[str, Any]) -> Table:
    table = _table("tiers shown", "at the end", "share", "mean share")
    for row in report["shown"]:
        shares = (_percent(row["share"]), _percent(row["mean_share"]))
        table.add_row(row["tier"], f"{row['customers']:,}", *shares)
    return table


def _flaps(flaps: dict[str, Any]) -> Table:
    table = _table("flaps", "with hysteresis", "without", "fewer")
    table.add_row(
        "per customer-year",
        _figure(flaps["with_hysteresis"], "{:.4f}"),
        _figure(flaps["without_hysteresis"], "{:.4f}"),
        _percent(flaps["reduction"]),
    )
    counts = (flaps["count_with_hysteresis"], flaps["count_without_hysteresis"])
    table.add_row(f"in {flaps['customer_years']:,.0f} customer-years", *(f"{one:,}" for one in counts), "")
    table.add_row("customer-days that differ", _percent(flaps["customer_days_that_differ"]), "", "")
    return table


def _rules(report: dict[str, Any]) -> Table:
    table = _table("rule", "warnings", "judged", "precision", "recall", "lead days", "of silences")
    for row in report["rules"]:
        table.add_row(
            *(row["rule"], f"{row['warnings']:,}", f"{row['judged']:,}"),
            *(_percent(row["precision"]), _percent(row["recall"])),
            _figure(row["lead_days_median"], "{:.1f}"),
            _percent(row["recall_of_silences"]),
        )
    table.add_row("[dim]at random[/]", "", "", _percent(report["base_rate"]), "", "", "")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _by_size(seen: Seen, tiers: Callable[[Sizes], Counter[str]]) -> list[str]:
    total: Counter[str] = Counter()
    for sizes in [*seen.midnights, seen.end]:
        total += tiers(sizes)
    return sorted(total, key=lambda tier: (-total[tier], tier))


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


def _percent(share: float | None) -> str:
    return _figure(share, "{:.1%}")


def _figure(value: float | None, how: str) -> str:
    return "-" if value is None else how.format(value)
