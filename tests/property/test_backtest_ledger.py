"""Flaps, sizes, warnings and base rate of a history of every kind, counted plainly from the oracle's tables.

Returns, corrections, repeats, other currencies and midnights are in it. What happens at a midnight itself is
left out of the file, so that who stood where at a midnight can be read off the tier changes up to it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest
from rich.console import Console

from deploy.backtesting.command import backtest_files
from deploy.backtesting.variants import ranks_alone, without_hysteresis
from services.scorer.core.policy import Policy
from services.scorer.offline.replay import Outcome as Replayed
from tests.histories.every_kind import Extras, events
from tests.histories.synthetic import Settings
from tests.oracle.clock import DAY_MS, midnights
from tests.oracle.customer import TierChange
from tests.oracle.events import instant_ms, read_events
from tests.oracle.replay import Outcome, settled
from tests.oracle.replay import replay as oracle_replay
from tests.property.offline_given import run
from tests.property.oracle_policies import EVERY_RULE, FOUR_LEVELS, MBG_NBD, RATES

ZONE = "Europe/London"
H_MS = 90 * DAY_MS
KINDS = tuple(kind for kind in Extras().kinds if "pin" not in kind)  # a pin would hide who lapsed
POLICIES: dict[str, dict[str, Any]] = {
    "default": {"rates": RATES},
    # But the model's: what a correction does to its warnings is not what the oracle says, yet.
    "every rule": {"rates": RATES, "churn": EVERY_RULE, "model": MBG_NBD},
    "four levels": {"rates": RATES, "tiers": FOUR_LEVELS, "churn": EVERY_RULE[:2]},
    "by score": {
        "rates": RATES,
        "tiers": {
            "by": "score",
            "levels": [{"name": "gold", "at_least": 5_500}, {"name": "iron"}],
            "dwell_days": 30,
        },
        "churn": EVERY_RULE[:1],
    },
}
Standing = dict[str, list[TierChange]]  # by customer, ascending


def history(path: Path, seed: int) -> tuple[int, int]:
    """Write a history without events at midnights; return its first and last instant."""
    settings = Settings(seed=seed, customers=25, years=2, time_zone=ZONE)
    every = [(instant_ms(event["occurred_at"]), event) for event in events(settings, Extras(kinds=KINDS))]
    zone = Policy.default(time_zone=ZONE).zone
    taken = set(midnights(min(every, key=first)[0] - DAY_MS, max(every, key=first)[0] + DAY_MS, zone))
    kept = [(at_ms, event) for at_ms, event in every if at_ms not in taken]
    path.write_text("".join(json.dumps(event) + "\n" for _, event in kept))
    return min(kept, key=first)[0], max(kept, key=first)[0]


def first(pair: tuple[int, Any]) -> int:
    return pair[0]


def standing(found: Outcome | Replayed) -> Standing:
    """Return everybody's settled changes, of the oracle or of a replay by the core."""
    changes = list(found.changes) if isinstance(found, Outcome) else found.watched[0].changes
    changes.sort(key=lambda one: (one.at_ms, one.customer_id))
    by_customer: Standing = defaultdict(list)
    for change in settled(changes):
        by_customer[change.customer_id].append(change)
    return by_customer


def at(changes: list[TierChange], now_ms: int) -> TierChange | None:
    """Return how a customer stood at an instant, by the last change up to it."""
    return next((one for one in reversed(changes) if one.at_ms <= now_ms), None)


def flaps(stood: Standing) -> int:
    """Count the moves that lead back to where the move before came from, at most 30 days after it."""
    count = 0
    for changes in stood.values():
        moves = [one for one in changes if one.ranked_previous != one.ranked_current]
        count += sum(
            there.ranked_previous == back.ranked_current and back.at_ms - there.at_ms <= 30 * DAY_MS
            for there, back in pairwise(moves)
        )
    return count


def active_at(stood: Standing, now_ms: int) -> dict[str, str]:
    """Return the ranked tiers of those who had not lapsed."""
    found = {who: at(changes, now_ms) for who, changes in stood.items()}
    return {who: one.ranked_current for who, one in found.items() if one and one.current != "lapsed"}


def share(part: float, whole: float) -> Any:
    return pytest.approx(part / whole, abs=2e-6) if whole else None


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(2))
def test_every_figure_is_that_of_a_plain_count(name: str, seed: int, tmp_path: Path) -> None:
    """Sizes, flaps with and without hysteresis, and each rule's figures, whatever the policy and the events."""
    path = tmp_path / "history.jsonl"
    first_ms, end_ms = history(path, seed)
    policy = Policy.from_json(POLICIES[name] | {"time_zone": ZONE})
    read = list(read_events([path]))
    outcome = oracle_replay(read, policy=policy.to_json())
    # Not the oracle: with a dwell of 0 it leaves a newcomer above the bottom until midnight, the core doesn't.
    raw = run(path, without_hysteresis(policy))

    found = backtest_files([path], policy, Console(quiet=True), processes=1)

    nights = list(midnights(first_ms, end_ms, policy.zone))
    crowds = [active_at(standing(outcome), at_ms) for at_ms in nights]
    check_flaps(found["flaps"], outcome, raw, nights, crowds)
    check_sizes(found, outcome, crowds)
    sales = {
        one.customer_id: sorted({p.at_ms for p in one.facts.purchases() if p.kind == "sale"})
        for one in outcome.customers
    }
    check_rules(found, outcome, sales, end_ms)
    days = [
        any(at_ms <= sold <= at_ms + H_MS for sold in sales[who])
        for at_ms, crowd in zip(nights, crowds, strict=True)
        for who in crowd
        if at_ms + H_MS <= end_ms
    ]
    assert found["base_rate"] == share(days.count(False), len(days))


def check_flaps(
    found: dict[str, Any], outcome: Outcome, raw: Replayed, nights: list[int], crowds: list[dict[str, str]]
) -> None:
    """Hold both counts, the customer-days and those that differ against the changes."""
    there, plain = standing(outcome), standing(raw)
    days = sum(map(len, crowds))
    beside = [active_at(plain, at_ms) for at_ms in nights]
    differing = sum(
        crowd[who] != other[who] for crowd, other in zip(crowds, beside, strict=True) for who in crowd
    )
    assert found["customer_days"] == days == sum(row.active for row in outcome.cut_rows[:-1])
    assert (found["count_with_hysteresis"], found["count_without_hysteresis"]) == (flaps(there), flaps(plain))
    assert found["with_hysteresis"] == share(flaps(there), days / 365.25)
    assert found["without_hysteresis"] == share(flaps(plain), days / 365.25)
    assert found["customer_days_that_differ"] == share(differing, days)


def check_sizes(found: dict[str, Any], outcome: Outcome, crowds: list[dict[str, str]]) -> None:
    """Hold the sizes at the end, and the mean shares of the active, against who stood where."""
    ranked = Counter(one.ranked for one in outcome.customers if one.is_active)
    shown = Counter(one.tier for one in outcome.customers)
    assert found["customers"] == len(outcome.customers)
    assert {row["tier"]: row["customers"] for row in found["shown"]} == {
        row["tier"]: shown[row["tier"]] for row in found["shown"]
    }
    assert sum(row["customers"] for row in found["shown"]) == len(outcome.customers)
    for row in found["tiers"][:-1]:
        assert row["customers"] == ranked[row["tier"]]
        shares = [list(crowd.values()).count(row["tier"]) / len(crowd) for crowd in crowds if crowd]
        assert row["mean_share_of_active"] == pytest.approx(fmean(shares), abs=2e-6)


def check_rules(found: dict[str, Any], outcome: Outcome, sales: dict[str, list[int]], end_ms: int) -> None:
    """Hold the figures of each rule against the oracle's episodes and the sales that stand in the end."""

    def silent(who: str, from_ms: int, length_ms: int) -> bool:
        return not any(from_ms < at_ms <= from_ms + length_ms for at_ms in sales[who])

    gaps = [
        (who, at_ms, min((later for later in times if later > at_ms), default=end_ms + 1))
        for who, times in sales.items()
        for at_ms in times
    ]
    silences = [gap for gap in gaps if gap[1] + H_MS <= end_ms and silent(*gap[:2], H_MS)]
    lost = [gap for gap in gaps if gap[1] + 2 * H_MS <= end_ms and silent(*gap[:2], 2 * H_MS)]
    assert (found["silences"], found["lost"]) == (len(silences), len(lost))
    assert [row["rule"] for row in found["rules"]] == [rule["name"] for rule in outcome.policy.rules]
    for row in found["rules"]:
        warned = [
            (one.customer_id, episode.start_ms)
            for one in outcome.customers
            for episode in one.warnings.episodes
            if episode.rule == row["rule"] and episode.ended_by != "retracted"
        ]
        judged = [one for one in warned if one[1] + H_MS <= end_ms]
        leads = [
            (at_ms + 2 * H_MS - start_ms) / DAY_MS
            for who, at_ms, _ in lost
            for start_ms in sorted(w for c, w in warned if c == who and at_ms < w <= at_ms + 2 * H_MS)[:1]
        ]
        in_silence = [
            any(c == who and at_ms <= w < next_ms for c, w in warned) for who, at_ms, next_ms in silences
        ]
        assert (row["warnings"], row["judged"], row["censored"]) == (
            *(len(warned), len(judged)),
            len(warned) - len(judged),
        )
        assert row["true"] == sum(silent(*one, H_MS) for one in judged)
        assert row["precision"] == share(row["true"], len(judged))
        assert row["recall"] == share(len(leads), len(lost))
        assert row["recall_of_silences"] == share(sum(in_silence), len(silences))
        assert row["lead_days_median"] == (pytest.approx(median(leads), abs=1e-3) if leads else None)
        assert row["lead_days_mean"] == (pytest.approx(fmean(leads), abs=1e-3) if leads else None)


@pytest.mark.parametrize("seed", range(2))
def test_ranked_tiers_depend_on_nothing_that_the_comparison_leaves_out(seed: int, tmp_path: Path) -> None:
    """Without churn rules and tags every change of a ranked tier is what it was."""
    path = tmp_path / "history.jsonl"
    history(path, seed)
    whole = Policy.from_json(POLICIES["every rule"] | {"time_zone": ZONE, "tags": True})

    one, other = (standing(run(path, policy)) for policy in (whole, ranks_alone(whole)))

    assert {who: _ranked(changes) for who, changes in one.items()} == {
        who: _ranked(changes) for who, changes in other.items()
    }


def _ranked(changes: list[TierChange]) -> list[tuple[int, str | None, str]]:
    return [
        (one.at_ms, one.ranked_previous, one.ranked_current)
        for one in changes
        if one.ranked_previous != one.ranked_current
    ]
