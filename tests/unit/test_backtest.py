"""Backtests of histories small enough to be judged by hand: days are counted from a noon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console
from typer.testing import CliRunner

from deploy.backtesting import report as reporting
from deploy.backtesting.command import backtest_files
from deploy.backtesting.flaps import Flaps
from deploy.backtesting.tables import print_tables
from deploy.backtesting.variants import ranks_alone, without_hysteresis
from deploy.cli import app
from deploy.history import MalformedError
from schemas.events import PurchaseRecorded, TierChanged
from schemas.times import from_ms
from schemas.wire import encode
from services.scorer.core.policy import Ladder, Level, Policy
from services.scorer.offline.crossed import crossed
from tests.unit.core_given import CUTS, Life, at, corrected, response, sale

POLICY = Policy.default()
QUIET = Console(quiet=True)


def bought(who: str, *days: float, currency: str = "USD") -> list[PurchaseRecorded]:
    return [replace(sale(at(day), currency=currency), customer_id=who) for day in days]


def report(folder: Path, *events: Any, processes: int = 1, churn_days: int = 90) -> dict[str, Any]:
    path = folder / "history.jsonl"
    path.write_bytes(b"".join(encode(event) + b"\n" for event in events))
    return backtest_files([path], POLICY, QUIET, processes=processes, churn_days=churn_days)


def rule(found: dict[str, Any], name: str = "early_silence") -> dict[str, Any]:
    return next(row for row in found["rules"] if row["rule"] == name)


def two_who_fell_silent() -> list[PurchaseRecorded]:
    """Ann buys on days 0 and 400, Bob on 0 and 100; Eve ends the history on day 500."""
    return bought("ann", 0, 400) + bought("bob", 0, 100) + bought("eve", 500)


# -- warnings ---------------------------------------------------------------------------------------


def test_warnings_are_held_against_the_90_days_that_follow(tmp_path: Path) -> None:
    """Ann's of day 90 and Bob's of day 190 came true, Bob's of day 90 did not, Ann's of day 490 is censored."""
    found = rule(report(tmp_path, *two_who_fell_silent()))

    assert (found["warnings"], found["judged"], found["censored"], found["true"]) == (4, 3, 1, 2)
    assert found["precision"] == pytest.approx(2 / 3, abs=1e-6)


def test_the_lost_are_those_who_bought_nothing_for_180_days(tmp_path: Path) -> None:
    """Ann on day 180 and Bob on day 280, each warned of 90 days before; Ann on day 580 nobody saw."""
    found = report(tmp_path, *two_who_fell_silent())

    assert (found["lost"], found["silences"]) == (2, 4)
    assert rule(found)["recall"] == 1
    assert rule(found)["recall_of_silences"] == 1
    assert (rule(found)["lead_days_median"], rule(found)["lead_days_mean"]) == (90, 90)


def test_an_answer_puts_a_warning_off_and_shortens_its_lead(tmp_path: Path) -> None:
    """Ann clicked on day 30: the warning of day 120 leaves 60 days until she is lost on day 180."""
    clicked = replace(response(at(30)), customer_id="ann")
    found = report(tmp_path, *bought("ann", 0), clicked, *bought("eve", 300))

    assert rule(found)["lead_days_median"] == 60
    assert (rule(found)["warnings"], rule(found)["true"], rule(found)["recall"]) == (1, 1, 1)


def test_a_purchase_on_the_last_day_makes_a_warning_false(tmp_path: Path) -> None:
    """The 90 days after the warning of day 90 end with day 180 itself; a day later they are over."""
    on_the_day = report(tmp_path, *bought("ann", 0, 180), *bought("eve", 200))
    after_it = report(tmp_path, *bought("ann", 0, 181), *bought("eve", 200))

    assert (rule(on_the_day)["judged"], rule(on_the_day)["true"], on_the_day["lost"]) == (1, 0, 0)
    assert (rule(after_it)["judged"], rule(after_it)["true"], after_it["lost"]) == (1, 1, 1)


def test_a_warning_is_judged_when_its_90_days_end_with_the_history(tmp_path: Path) -> None:
    """On day 180 the warning of day 90 is decided; a day earlier it is not."""
    decided = report(tmp_path, *bought("ann", 0), *bought("eve", 180))
    open_yet = report(tmp_path, *bought("ann", 0), *bought("eve", 179))

    assert (rule(decided)["judged"], rule(decided)["precision"]) == (1, 1)
    assert (rule(open_yet)["censored"], rule(open_yet)["precision"]) == (1, None)


def test_the_base_rate_is_that_of_active_customer_days(tmp_path: Path) -> None:
    """Counted by hand up to day 410, from which on 90 days can't be seen.

    Ann is active on the midnights of days 1 to 365 (the first 310 are followed by 90 days without a
    purchase) and 401 to 410 (all), Bob on 1 to 100 (10) and 101 to 410 (all).
    """
    found = report(tmp_path, *two_who_fell_silent())

    assert found["base_rate"] == pytest.approx((310 + 10 + 10 + 310) / (365 + 10 + 100 + 310), abs=1e-6)


def test_another_length_of_silence_may_be_the_yardstick(tmp_path: Path) -> None:
    """Against 5 days all four warnings are judged, and nobody bought so soon after one."""
    found = report(tmp_path, *two_who_fell_silent(), churn_days=5)

    assert (rule(found)["judged"], rule(found)["true"]) == (4, 4)
    assert rule(found)["recall"] == 0  # after 10 days one is lost: early silence comes too late


# -- tiers ------------------------------------------------------------------------------------------


def test_sizes_at_the_end_and_over_the_midnights(tmp_path: Path) -> None:
    """Of three, Ann and Eve are active at the end, and regular; Bob, who was high value, has lapsed."""
    found = report(tmp_path, *two_who_fell_silent())
    rows = {row["tier"]: row for row in found["tiers"]}
    regular, lapsed = rows["regular"], rows["lapsed"]

    assert (found["customers"], found["events"], found["midnights"]) == (3, 5, 500)
    assert (regular["customers"], regular["share_of_active"]) == (2, 1)
    assert (lapsed["customers"], lapsed["share_of_active"]) == (1, None)
    assert sum(row["customers"] for row in found["tiers"]) == found["customers"]
    # Ann was lapsed on the midnights of days 366 to 400, Bob on 466 to 500: one of two each time.
    assert lapsed["mean_share"] == pytest.approx((35 + 35) / 2 / 500, abs=1e-6)
    shown = {row["tier"]: row["customers"] for row in found["shown"] if row["customers"]}
    assert shown == {"at_risk": 1, "lapsed": 1, "regular": 1}  # Ann was warned of on day 490


def test_customer_years_are_active_days(tmp_path: Path) -> None:
    """Ann 365 and 100 midnights, Bob 465."""
    flaps = report(tmp_path, *two_who_fell_silent())["flaps"]

    assert flaps["customer_days"] == 930
    assert flaps["customer_years"] == pytest.approx(930 / 365.25, abs=0.01)


def moves(*steps: tuple[float, str | None, str]) -> list[TierChanged]:
    """Return changes of the ranked tier on days."""
    like = Life(cuts=CUTS).happens(sale(at(0))).tier_changes[0]
    return [
        replace(like, occurred_at=from_ms(at(day)), ranked_previous=previous, ranked_current=current)
        for day, previous, current in steps
    ]


@pytest.mark.parametrize(
    ("steps", "count"),
    [
        pytest.param([(0, None, "a"), (10, "a", "b"), (40, "b", "a")], 1, id="back after 30 days"),
        pytest.param([(0, None, "a"), (10, "a", "b"), (40.001, "b", "a")], 0, id="back a little later"),
        pytest.param([(0, "a", "b"), (1, "b", "a"), (2, "a", "b")], 2, id="there again is another one"),
        pytest.param([(0, "a", "b"), (1, "b", "c"), (2, "c", "a")], 0, id="by another way is none"),
        pytest.param([(0, "a", "b"), (1, "b", "c"), (1, "c", "a")], 1, id="one instant is one change"),
        pytest.param([(0, "a", "b"), (1, "b", "a"), (1, "a", "b")], 0, id="nothing came of that instant"),
    ],
)
def test_a_flap_is_being_back_within_30_days(steps: list[tuple[float, str | None, str]], count: int) -> None:
    """Counted for each customer alone."""
    flaps = Flaps()
    for move in moves(*steps):
        flaps.take(1, [move])
        flaps.take(2, [])

    assert flaps.count() == count


def test_hysteresis_prevents_a_flap(tmp_path: Path) -> None:
    """Ten customers; the second-best changes places with the third day by day, and back.

    High value is the best two of ten. Without margin and dwell both move at every midnight at which one
    overtakes the other; with them each keeps the tier that it once earned.
    """
    crowd = [event for number in range(7) for event in bought(f"c{number}", 0.1)]
    best = bought("best", *(day / 10 for day in range(20)))
    first = bought("first", *(day * 2 + 0.1 for day in range(10)))
    second = bought("second", *(day * 2 + 1.1 for day in range(10)))
    ender = bought("c0", 60)

    flaps = report(tmp_path, *crowd, *best, *first, *second, *ender)["flaps"]

    assert flaps["count_without_hysteresis"] > 2
    assert flaps["count_with_hysteresis"] == 0
    assert flaps["reduction"] == 1
    assert flaps["customer_days_that_differ"] > 0


def test_without_hysteresis_nothing_else_changes() -> None:
    """The comparison is of margin and dwell alone."""
    raw = without_hysteresis(POLICY)

    assert (raw.tiers.margin_percent, raw.tiers.dwell_ms, raw.tiers.soft_landing) == (0, 0, False)
    assert replace(raw, tiers=POLICY.tiers) == POLICY
    assert ranks_alone(raw).tiers == raw.tiers
    assert ranks_alone(raw).score == POLICY.score


def test_only_scores_that_a_cut_passed_over_are_concerned() -> None:
    """A cut from a to b concerns a to b - 1, upwards and downwards; the first cuts concern everybody."""
    high, low = CUTS.points
    moved = replace(CUTS, points=(replace(high, enter=high.enter + 3), replace(low, enter=low.enter - 2)))
    passed = crossed(CUTS, moved)

    assert passed is not None
    assert sorted(score for scores in passed for score in scores) == [1_898, 1_899, 5_000, 5_001, 5_002]
    assert crossed(CUTS, CUTS) == []
    assert crossed(None, CUTS) is None
    assert crossed(CUTS, None) == []


# -- histories at the edges -------------------------------------------------------------------------


def test_a_history_of_one_customer_and_one_day(tmp_path: Path) -> None:
    """No midnight passes: there is nothing to average and nothing to judge, and that is said as null."""
    found = report(tmp_path, *bought("ann", 0, 0.1))

    assert (found["customers"], found["midnights"], found["tiers"][0]["mean_share"]) == (1, 0, None)
    assert [(row["warnings"], row["precision"], row["recall"]) for row in found["rules"]] == [
        (0, None, None),
        (0, None, None),
    ]
    assert (found["base_rate"], found["flaps"]["with_hysteresis"]) == (None, None)
    print_tables(found, QUIET)


def test_what_the_core_refuses_is_counted(tmp_path: Path) -> None:
    """Another currency, another body under a known id, and a date in the future; a repeat is no error."""
    one = bought("ann", 0)[0]
    ahead = replace(sale(at(0)), customer_id="zoe", occurred_at=from_ms(at(40_000)))
    found = report(tmp_path, one, one, replace(one, amount_minor=1), *bought("bob", 1, currency="EUR"), ahead)

    assert found["dead_letters"] == {"CONFLICT": 1, "CURRENCY": 1, "TIME": 1}
    assert (found["applied"], found["duplicates"], found["customers"], found["events"]) == (1, 1, 1, 5)
    assert found["to"].startswith("2024-01-02")


def test_who_is_refused_has_room_beside_the_others_under_every_policy(tmp_path: Path) -> None:
    """The newest customers never counted, midnights pass, and the tiers are compared one by one."""
    strangers = [bought(f"e{number}", 2, currency="EUR")[0] for number in range(5)]
    found = report(tmp_path, *bought("ann", 0), *bought("bob", 1), *strangers, *bought("ann", 3))

    assert (found["customers"], found["dead_letters"]) == (2, {"CURRENCY": 5})
    assert found["flaps"]["customer_days_that_differ"] == 0


def test_a_history_in_another_currency_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """Nobody has a tier, so there is nothing to report; no traceback, and no table of nothing."""
    events = tmp_path / "history.jsonl"
    events.write_bytes(b"".join(encode(one) + b"\n" for one in bought("ann", 0, 1, 2, currency="EUR")))

    done = CliRunner().invoke(app, ["backtest", "--events", str(events)])

    said = " ".join(done.output.split())
    assert done.exit_code == 1
    assert "no purchase of this history counts under the policy, which counts in USD" in said
    assert "3 CURRENCY: " in said
    assert "--currency" in said


def test_an_empty_file_is_no_history(tmp_path: Path) -> None:
    """It says what to give instead."""
    with pytest.raises(MalformedError, match="no events in"):
        report(tmp_path)


def test_every_rule_and_every_level_has_a_row_in_the_policys_order(tmp_path: Path) -> None:
    """Also the rule that never warned and the level that nobody reached; a dash stands for what is not known."""
    found = report(tmp_path, *two_who_fell_silent())
    policy = replace(POLICY, churn=tuple(reversed(POLICY.churn)))
    path = tmp_path / "history.jsonl"
    turned = backtest_files([path], policy, QUIET, processes=1)

    assert [row["rule"] for row in found["rules"]] == ["early_silence", "high_value_silence"]
    assert [row["rule"] for row in turned["rules"]] == ["high_value_silence", "early_silence"]
    assert [row["tier"] for row in found["tiers"]] == ["high_value", "regular", "at_risk", "lapsed"]
    assert [row["tier"] for row in found["shown"]] == ["high_value", "regular", "at_risk", "lapsed"]
    never = rule(found, "high_value_silence")
    assert (never["warnings"], never["precision"], never["lead_days_median"]) == (0, None, None)
    assert (never["recall"], never["recall_of_silences"]) == (0, 0)  # of two lost none was warned of
    nobody = found["tiers"][2]
    assert (nobody["customers"], nobody["share"], nobody["mean_share"]) == (0, 0, 0)


def test_at_risk_is_shown_after_the_levels_of_a_ladder_without_it(tmp_path: Path) -> None:
    """It is what a customer with an open warning is shown as, whatever the levels are called."""
    levels = (Level(name="gold", at_least=9_000), Level(name="silver", at_least=5_000), Level(name="iron"))
    policy = replace(POLICY, tiers=Ladder(by="score", levels=levels), churn=POLICY.churn[:1])
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(encode(event) + b"\n" for event in two_who_fell_silent()))
    found = backtest_files([path], policy, QUIET, processes=1)

    assert [row["tier"] for row in found["tiers"]] == ["gold", "silver", "iron", "lapsed"]
    assert [row["tier"] for row in found["shown"]] == ["gold", "silver", "iron", "at_risk", "lapsed"]


def test_every_key_of_the_report_is_documented(tmp_path: Path) -> None:
    """In the docstring of the module that makes it, at any depth but the policy's own."""
    found = report(tmp_path, *two_who_fell_silent())
    del found["policy"]["name"]
    rows = [*found["tiers"], *found["shown"], *found["rules"], found["flaps"], found["bad_lines"], found]

    assert reporting.__doc__ is not None
    assert [key for row in rows for key in row if f"``{key}``" not in reporting.__doc__] == []


# -- corrections ------------------------------------------------------------------------------------


def test_a_purchase_that_never_was_ends_no_silence(tmp_path: Path) -> None:
    """Ann's of day 100 was a mistake, found on day 110: the warning of day 90 was right, and is one."""
    mistaken = bought("ann", 100)[0]
    events = [*bought("ann", 0), mistaken, *bought("eve", 400)]

    believed = report(tmp_path, *events)
    found = report(tmp_path, *events, corrected(mistaken, 1, at_ms=at(110)))

    assert (rule(believed)["warnings"], rule(believed)["true"], believed["lost"]) == (2, 1, 1)
    assert (rule(found)["warnings"], rule(found)["true"], found["lost"]) == (1, 1, 1)
    assert rule(found)["lead_days_median"] == 90


def test_a_purchase_that_was_earlier_than_told_takes_a_warning_away(tmp_path: Path) -> None:
    """Ann bought on day 80 and not on day 100: there was no silence on day 90, but one on day 170."""
    late = bought("ann", 100)[0]
    earlier = corrected(late, 1, at_ms=at(110), occurred_at=from_ms(at(80)))
    found = report(tmp_path, *bought("ann", 0), late, earlier, *bought("eve", 300))

    assert (rule(found)["warnings"], rule(found)["true"]) == (1, 1)
    assert (found["silences"], found["lost"]) == (1, 1)


def test_who_is_not_yet_in_the_percentiles_adds_no_customer_days(tmp_path: Path) -> None:
    """With two orders to be one of the crowd, a first purchase makes nobody active."""
    policy = replace(POLICY, tiers=replace(POLICY.tiers, orders_min=2))
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(encode(event) + b"\n" for event in bought("ann", 0) + bought("eve", 300)))

    found = backtest_files([path], policy, QUIET, processes=1)

    assert (found["flaps"]["customer_days"], found["base_rate"]) == (0, None)


def test_anonymous_ids_are_never_scored(tmp_path: Path) -> None:
    """As in the lanes: the till's own id is no customer."""
    policy = replace(POLICY, anonymous=("till",))
    path = tmp_path / "history.jsonl"
    events = bought("till", 0, 1, 2) + bought("ann", 0, 3)
    path.write_bytes(b"".join(encode(event) + b"\n" for event in events))

    found = backtest_files([path], policy, QUIET, processes=1)

    assert (found["customers"], found["applied"], found["not_scored"]) == (1, 2, 3)


# -- the command ------------------------------------------------------------------------------------


def test_the_command_prints_tables_and_writes_json(tmp_path: Path) -> None:
    """The same figures in both, and what they mean."""
    events, out = tmp_path / "history.jsonl", tmp_path / "report.json"
    events.write_bytes(b"".join(encode(event) + b"\n" for event in two_who_fell_silent()))

    done = CliRunner().invoke(app, ["backtest", "--events", str(events), "--json", str(out)])

    found = json.loads(out.read_text())
    assert done.exit_code == 0, done.output
    assert rule(found)["precision"] == pytest.approx(2 / 3, abs=1e-6)
    assert "early_silence" in done.output
    assert "66.7%" in done.output
    assert set(found) >= {
        "events",
        "customers",
        "from",
        "to",
        "time_zone",
        "policy",
        "tiers",
        "flaps",
        "rules",
    }
    assert found["definitions"]["true_warning"].startswith("no purchase in the 90 days after the warning")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--currency", "DOLLAR"], "not an ISO 4217 code"),
        (["--time-zone", "Mars/Olympus"], "not an IANA time zone"),
        (["--json", "nowhere/report.json"], "there is no folder"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_read(
    options: list[str], said: str, tmp_path: Path
) -> None:
    """It says what is wrong with it."""
    events = tmp_path / "history.jsonl"
    events.write_text("not read\n")

    done = CliRunner().invoke(app, ["backtest", "--events", str(events), *options])

    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
