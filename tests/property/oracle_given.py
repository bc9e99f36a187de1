"""Histories that suit a policy, and what the core and the oracle make of them."""

from __future__ import annotations

import json
from pathlib import Path
from zoneinfo import ZoneInfo

from deploy.backtesting.stretches import Dealer
from deploy.history import read
from deploy.replay import Plan
from services.scorer.core.policy import Policy
from services.scorer.core.products import latest, product_of
from services.scorer.offline.replay import replay
from tests.histories.every_kind import Extras, events
from tests.histories.synthetic import Settings
from tests.oracle.events import read_events
from tests.oracle.products import read_products
from tests.oracle.replay import replay as oracle_replay
from tests.property.offline_given import WALL_MS, Collector, Tables, tables, tables_of
from tests.property.oracle_baskets import standing, with_baskets


def made(
    path: Path,
    policy: Policy,
    seed: int,
    *,
    customers: int,
    years: int,
    kinds: tuple[str, ...],
    undone: bool = False,
) -> int:
    """Write a history that suits a policy: its zone, its currency, its tiers and rules; return how many lines.

    Args:
        path: the file.
        policy: the policy.
        seed: the same one gives the same bytes.
        customers: how many.
        years: how long.
        kinds: of ``every_kind``.
        undone: the only purchase that somebody ever made may be voided.
    """
    settings = Settings(
        seed=seed,
        customers=customers,
        years=years,
        currency=policy.currency,
        time_zone=policy.time_zone,
    )
    rules = tuple(rule.name for rule in policy.churn) or ("none",)
    history = events(settings, Extras(kinds=kinds, tiers=policy.tiers.names, rules=rules))
    history = with_baskets(
        history if undone else standing(history, policy.conversions), seed, policy.tiers.names
    )
    path.write_text("".join(json.dumps(event) + "\n" for event in history), encoding="utf-8")
    return len(history)


def core_tables(path: Path, policy: Policy) -> Tables:
    """Replay a file through the core, which looks purchases up in the products that the file lists."""
    history = read([path], partitions=1)
    stretches = Dealer(history, Plan(ZoneInfo(policy.time_zone)), WALL_MS).stretches()
    products = {sku: product_of(one) for sku, one in latest(history.listed).items()}
    return tables(replay(stretches, [policy], Collector(), products=products))


def oracle_tables(path: Path, policy: Policy) -> Tables:
    """Let the oracle count the same file."""
    found = oracle_replay(read_events([path]), policy=policy.to_json(), products=read_products([path]))
    counted = tables_of(found)
    # Somebody whose every purchase was voided is in no tier; the warnings stand as they were taken back.
    counted["warnings"] += [
        (one.customer_id, episode.rule, episode.start_ms, episode.ended_ms, episode.ended_by)
        for one in found.prospects
        for episode in one.warnings.episodes
    ]
    return counted | {"warnings": sorted(counted["warnings"])}
