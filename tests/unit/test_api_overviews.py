"""Figures that move by themselves: who is told of them, and how often they are counted."""

from __future__ import annotations

import asyncio
from typing import Any

from schemas.times import from_ms
from services.api.feed import BEGINNING
from services.api.hub import Client, take_note
from services.api.overview import Overview, pause_seconds


def overview(**said: Any) -> Overview:
    """Return an overview of a replay."""
    plain: dict[str, Any] = {
        "now": from_ms(0),
        "mode": "replay",
        "replay_from": None,
        "currency": "USD",
        "exponent": 2,
        "time_zone": "UTC",
        "window_days": 365,
        "levels": ["high_value", "regular"],
        "ranks_by": "percentile",
        "customers": 0,
        "active": 0,
        "tiers": {},
        "cut_offs": None,
        "tier_changes": 0,
        "warnings_open": 0,
        "warnings": [],
        "tasks": {},
        "records_applied": 0,
    }
    return Overview(**plain | said)


def client(known: Overview | None) -> Client:
    """Return the stream of somebody who has not signed in."""
    return Client(None, asyncio.Queue(2), BEGINNING, BEGINNING, known)


def test_who_began_with_older_figures_than_the_others_is_told_the_newer_ones() -> None:
    """The others heard of them before this stream was there, so they alone hear nothing."""
    old, new = overview(records_applied=1), overview(records_applied=2)
    early, late = client(old), client(old)

    assert take_note([early], new) == [early]
    assert take_note([early, late], overview(records_applied=2)) == [late]
    assert take_note([early, late], overview(records_applied=2)) == []


def test_a_new_stream_is_told_what_it_does_not_have() -> None:
    """Nothing is assumed of a client that was given no figures."""
    one = client(None)

    assert take_note([one], overview()) == [one]
    assert take_note([one], overview()) == []


def test_the_wall_s_time_alone_is_no_news_but_a_replay_s_is() -> None:
    """A desk runs its own clock; a replay's it can't know."""
    later = from_ms(60_000)
    wall, replay = client(overview(mode="wall")), client(overview())

    assert take_note([wall], overview(mode="wall", now=later)) == []
    assert take_note([replay], overview(now=later)) == [replay]


def test_a_small_shop_is_counted_as_soon_as_the_count_allows() -> None:
    """However long it waited: a machine that was busy for a moment does not make the figures stand still."""
    assert pause_seconds(overview(customers=180, tier_changes=900), 0.8) == 0.8


def test_a_large_base_is_counted_seldom() -> None:
    """Customers, changes and tasks, at ten million a second, for a twentieth of the time."""
    large = overview(customers=1_000_000, tier_changes=2_500_000, tasks={"open": 400_000, "done": 100_000})

    assert pause_seconds(large, 0.4) == 8.0
