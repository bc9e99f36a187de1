"""Starts at which a rule did not apply: judged once, kept in few bytes, and forgotten when nothing can ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.times import DAY_MS
from services.scorer.core.churn import passed
from services.scorer.core.policy import FrequencyRule, Policy
from tests.unit.core_given import CUTS, T0, Life, at, sale

SEVERAL = [("b", 3), ("a", 3), ("a", 1), ("b", 9)]


def test_starts_are_kept_by_rule() -> None:
    """In whatever order they are noted, and once each."""
    kept = passed.packed(SEVERAL)
    assert kept == passed.packed([*SEVERAL[::-1], *SEVERAL])
    assert passed.starts_of(kept, "a") == {1, 3}
    assert passed.starts_of(kept, "b") == {3, 9}
    assert passed.starts_of(b"", "a") == passed.starts_of(kept, "c") == frozenset()


def test_what_no_late_fact_can_touch_is_dropped() -> None:
    """Each rule by its own frozen instant; a rule that the policy has no more goes whole."""
    kept = passed.packed(SEVERAL)
    frozen = {passed.name_crc("a"): 3}
    assert passed.since(kept, 1, lambda: frozen) == kept  # nobody was asked
    assert passed.since(kept, 2, lambda: frozen) == passed.packed([("a", 3)])
    both = frozen | {passed.name_crc("b"): 0}
    assert passed.since(kept, 2, lambda: both) == passed.packed([("b", 3), ("a", 3), ("b", 9)])


def test_a_burst_that_passes_leaves_no_trace() -> None:
    """60 orders of a day, 90 days later each a start for another tier: none stands among the episodes."""
    policy = Policy(churn=(FrequencyRule(name="frequency", tiers=("at_risk",)),))
    lived = Life(CUTS, policy).happens(*(sale(at(2 * number), 100) for number in range(30)))
    lived.happens(*(sale(at(100) + number * 10_000, 100) for number in range(60)))
    lived.until(at(200))
    assert passed.starts_of(lived.known.passed, "frequency")
    assert (lived.known.episodes, lived.churn) == ((), [])
    assert lived.until(at(231)).known.passed == b""


@given(
    st.lists(st.integers(0, 240), min_size=12, max_size=60).map(sorted),
    st.lists(st.sampled_from(["high_value", "regular", "at_risk"]), min_size=1, max_size=2, unique=True),
    st.booleans(),
)
def test_looking_at_one_start_is_deriving_all(days: list[int], tiers: list[str], linked: bool) -> None:  # noqa: FBT001
    """In order of time it is enough to look at what starts next: the same warnings as if all were derived."""
    rule = FrequencyRule(name="frequency", guard="none", tiers=tuple(tiers), orders_min=2)
    policy = Policy(churn=(rule,))
    one, other = Life(CUTS, policy), Life(CUTS, policy)
    for number, day in enumerate(days):
        time_ms = T0 + day * DAY_MS + number
        bought = sale(time_ms, 100 * number, event=f"e{number}", order="twice" if linked else "")
        for life in (one, other):
            if life.state is not None:
                life.until(time_ms - 1)
            life.happens(bought)
        other.state = replace(other.known, starts=())  # so that all is derived anew
    assert one.until(at(600)).churn == other.until(at(600)).churn
