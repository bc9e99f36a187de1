"""An offline replay laid beside the oracle's: the same tables from both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from deploy.backtesting.stretches import Dealer
from deploy.history import read
from deploy.replay import Plan
from schemas.events import ChurnCleared, ChurnWarned, TierChanged
from schemas.times import from_ms, to_ms
from services.scorer.core.draft import Step
from services.scorer.core.policy import Policy
from services.scorer.core.state import State
from services.scorer.offline.processes import replay_in_processes
from services.scorer.offline.replay import Outcome, replay
from services.scorer.offline.share import Share
from tests.oracle.customer import TierChange
from tests.oracle.events import read_events
from tests.oracle.replay import Outcome as OracleOutcome
from tests.oracle.replay import replay as oracle_replay
from tests.oracle.replay import settled
from tests.oracle.tiers import Cuts

WALL_MS = to_ms(datetime(2030, 1, 1, tzinfo=UTC))


class Collector:
    """Collects everything that was published, and the states as the end leaves them."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.changes: list[TierChange] = []
        self.warned: dict[tuple[str, str, int], tuple[int | None, str]] = {}
        self.states: list[State] = []

    def stepped(self, variant: int, who: int, step: Step, now_ms: int) -> None:
        """Note the effects."""
        assert (variant, now_ms >= 0, who >= 0) == (0, True, True)
        for one in step.effects:
            if isinstance(one, TierChanged):
                self.changes.append(
                    TierChange(
                        one.customer_id,
                        to_ms(one.occurred_at),
                        one.previous,
                        one.current,
                        one.ranked_previous,
                        one.ranked_current,
                    )
                )
            elif isinstance(one, ChurnWarned):
                self.warned[one.customer_id, one.rule, to_ms(one.occurred_at)] = (None, "")
            elif isinstance(one, ChurnCleared):
                self.warned[one.customer_id, one.rule, to_ms(one.started_at)] = (
                    to_ms(one.occurred_at),
                    one.cause,
                )

    def reached(self, at_ms: int, *, complete: bool, shares: Sequence[Share]) -> None:
        """Keep the end's states."""
        assert from_ms(at_ms)
        if complete:
            self.states = [state for state in shares[0].states if state is not None]

    def result(self) -> Collector:
        """Return what was collected."""
        return self


def run(path: Path, policy: Policy, *, processes: int = 0, watcher: type[Collector] = Collector) -> Outcome:
    """Replay a file; 0 processes is this one, alone."""
    history = read([path], partitions=max(1, processes))
    stretches = Dealer(history, Plan(ZoneInfo(policy.time_zone)), WALL_MS).stretches()
    if processes:
        return replay_in_processes(stretches, [policy], watcher, processes=processes)
    return replay(stretches, [policy], watcher())


Tables = dict[str, list[tuple[object, ...]]]


def tables(outcome: Outcome) -> Tables:
    """Return what an offline replay came to, in the rows of ``oracle_tables``."""
    changes = [change for one in outcome.watched for change in one.changes]
    changes.sort(key=lambda change: (change.at_ms, change.customer_id))
    states = [state for one in outcome.watched for state in one.states if state.ranked is not None]
    return {
        "customers": sorted(
            (
                *(state.customer_id, state.score, state.ranked, state.ranked_since_ms),
                *(state.tier, state.tier_since_ms, state.orders, state.last_purchase_ms),
            )
            for state in states
        ),
        "cut-offs": [
            (row.version, row.at_ms, row.active, *sorted(_numbers(msgspec.to_builtins(row.cuts))))
            for row in outcome.cut_rows
        ],
        "tier changes": [astuple(one) for one in settled(changes)],
        "warnings": sorted((*key, *end) for one in outcome.watched for key, end in one.warned.items()),
        "dead letters": sorted(outcome.counts.refused.items()),
    }


def oracle_tables(path: Path, policy: Policy) -> Tables:
    """Let the oracle count the same file."""
    return tables_of(oracle_replay(read_events([path]), policy=policy.to_json()))


def tables_of(found: OracleOutcome) -> Tables:
    """Return what the oracle counted, in the rows of ``tables``."""
    return {
        "customers": sorted(
            (
                *(one.customer_id, one.score, one.ranked, one.ranked_since_ms),
                *(one.tier, one.tier_since_ms, one.measures.orders, one.last_sale_ms),
            )
            for one in found.customers
        ),
        "cut-offs": [
            (row.version, row.at_ms, row.active, *sorted(() if row.cuts is None else _six(row.cuts)))
            for row in found.cut_rows
        ],
        "tier changes": [astuple(one) for one in found.settled_changes()],
        "warnings": sorted(
            (one.customer_id, episode.rule, episode.start_ms, episode.ended_ms, episode.ended_by)
            for one in found.customers
            for episode in one.warnings.episodes
        ),
        "dead letters": sorted(Counter(reason for _, reason in found.dead_letters).items()),
    }


def _six(cuts: Cuts) -> list[int]:
    return [number for edge in cuts for number in (edge.enter, edge.plain, edge.leave)]


def _numbers(cuts: Any) -> list[int]:
    """Return the cut-offs, whatever the policy calls them."""
    if isinstance(cuts, dict):
        return [number for part in cuts.values() for number in _numbers(part)]
    if isinstance(cuts, list | tuple):
        return [number for part in cuts for number in _numbers(part)]
    return [cuts] if isinstance(cuts, int) else []
