"""A backtest's figures against the plainest count of them, from the oracle's episodes and the file's sales."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from rich.console import Console

from deploy.backtesting.command import backtest_files
from services.scorer.core.policy import Policy
from tests.histories.synthetic import Settings, events, write
from tests.oracle.clock import DAY_MS, YEAR_MS, midnights
from tests.oracle.events import instant_ms, read_events
from tests.oracle.replay import Outcome
from tests.oracle.replay import replay as oracle_replay

POLICY = Policy.default(time_zone="Europe/London")
H_MS = 90 * DAY_MS


def sales_only(path: Path, seed: int) -> dict[str, list[int]]:
    """Write a history of sales, each its own order, without repeats; return everybody's times of purchase."""
    settings = Settings(
        seed=seed, customers=50, years=2, duplicates=0, conflicts=0, time_zone=POLICY.time_zone
    )
    history = [
        event | {"order_id": event["event_id"]} for event in events(settings) if event.get("kind") == "sale"
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in history))
    sales: dict[str, list[int]] = defaultdict(list)
    for event in history:
        sales[event["customer_id"]].append(instant_ms(event["occurred_at"]))
    return {who: sorted(set(times)) for who, times in sales.items()}


def silent(times: list[int], from_ms: int, length_ms: int) -> bool:
    return not any(from_ms < at_ms <= from_ms + length_ms for at_ms in times)


def share(flags: list[bool]) -> Any:
    return pytest.approx(sum(flags) / len(flags), abs=1e-6) if flags else None


def warnings_of(outcome: Outcome, rule: str) -> list[tuple[str, int]]:
    return [
        (one.customer_id, episode.start_ms)
        for one in outcome.customers
        for episode in one.warnings.episodes
        if episode.rule == rule
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_figures_are_those_of_a_plain_count(seed: int, tmp_path: Path) -> None:
    """Precision, both recalls, lead, base rate and customer-days, from their definitions alone."""
    path = tmp_path / "history.jsonl"
    sales = sales_only(path, seed)
    outcome = oracle_replay(read_events([path]), time_zone=POLICY.time_zone)
    first_ms, end_ms = min(map(min, sales.values())), max(map(max, sales.values()))

    found = backtest_files([path], POLICY, Console(quiet=True), processes=1)

    gaps = [(who, at_ms) for who, times in sales.items() for at_ms in times]
    silences = [gap for gap in gaps if gap[1] + H_MS <= end_ms and silent(sales[gap[0]], gap[1], H_MS)]
    lost = [
        gap for gap in silences if gap[1] + 2 * H_MS <= end_ms and silent(sales[gap[0]], gap[1], 2 * H_MS)
    ]
    assert (found["silences"], found["lost"]) == (len(silences), len(lost))
    for row in found["rules"]:
        warned = warnings_of(outcome, row["rule"])
        judged = [one for one in warned if one[1] + H_MS <= end_ms]
        leads = [
            (bought_ms + 2 * H_MS - at_ms) / DAY_MS
            for who, bought_ms in lost
            for at_ms in [min((w for c, w in warned if c == who and w > bought_ms), default=end_ms + 1)]
            if at_ms <= bought_ms + 2 * H_MS
        ]
        assert (row["warnings"], row["judged"]) == (len(warned), len(judged))
        assert row["precision"] == share([silent(sales[who], at_ms, H_MS) for who, at_ms in judged])
        assert row["recall"] == pytest.approx(len(leads) / len(lost), abs=1e-6)
        assert row["lead_days_median"] == (pytest.approx(median(leads), abs=1e-3) if leads else None)
    assert {row["rule"] for row in found["rules"]} >= {"early_silence"}

    days = [
        (times, at_ms)
        for at_ms in midnights(first_ms, end_ms, POLICY.zone)
        for times in sales.values()
        if (before := bisect_right(times, at_ms - 1)) and times[before - 1] > at_ms - YEAR_MS
    ]
    assert found["flaps"]["customer_days"] == len(days)
    assert found["base_rate"] == share(
        # A purchase at midnight itself is not known there yet.
        [silent(times, at_ms - 1, H_MS + 1) for times, at_ms in days if at_ms + H_MS <= end_ms]
    )


def test_the_number_of_processes_shows_in_the_timing_only(tmp_path: Path) -> None:
    """One process and two write the same report, which is JSON."""
    path = tmp_path / "history.jsonl"
    write(path, Settings(seed=3, customers=40, years=2))
    timing = dict.fromkeys(("processes", "seconds", "events_per_second"))

    one, two = (
        backtest_files([path], Policy.default(), Console(quiet=True), processes=processes)
        for processes in (1, 2)
    )

    assert json.dumps(one | timing) == json.dumps(two | timing)
    assert one["rules"]
    assert one["dead_letters"]["CONFLICT"] > 0
