"""Laws of policy files: what is written reads back, a typo never passes, no text is a crash."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.scorer.core.currencies import codes
from services.scorer.core.models.parameters import Model, PurchaseModel, SpendModel
from services.scorer.core.policy import (
    Bonus,
    ChurnRules,
    CompetitorRule,
    DisengagedRule,
    FrequencyRule,
    Ladder,
    Level,
    ModelRule,
    Policy,
    SilenceRule,
    Weight,
)
from services.scorer.core.policy.checks import BY_MONTH_DAYS_MAX
from services.scorer.core.policy.scoring import BY_MONTH, METRICS, NEEDS_NAMES
from services.scorer.policies import Mistake, PolicyError, read_policy, template, templates, write_policy
from services.scorer.policies.document import ListNode, MapNode, Node, ScalarNode, read_document

TEMPLATES = [one.name for one in templates()]
CURRENCIES = ["EUR", "GBP", "JPY", "KWD", "CHF", "NOK"]

names = st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True).filter(lambda name: name != "lapsed")
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
amounts = st.floats(0.01, 1e9)
parameters = st.floats(1e-3, 1e6)
models = st.builds(
    Model,
    purchases=st.builds(
        PurchaseModel,
        kind=st.sampled_from(["mbg_nbd", "bg_nbd"]),
        unit=st.sampled_from(["day", "week"]),
        r=parameters,
        alpha=parameters,
        a=parameters,
        b=parameters,
    ),
    spend=st.builds(
        SpendModel,
        p=parameters,
        q=st.floats(1.001, 1e6),
        gamma_minor=st.floats(1, 1e12),
        mean_minor=st.integers(1, 10**12),
    ),
)
rates = st.dictionaries(
    st.sampled_from(CURRENCIES), st.decimals(Decimal("1e-6"), Decimal("1e6"), places=6), max_size=4
)


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    """Ladders of all three kinds."""
    found = draw(st.lists(names, min_size=2, max_size=6, unique=True))
    count = len(found) - 1
    common: dict[str, Any] = {
        "dwell_days": draw(st.integers(0, 3_660)),
        "soft_landing": draw(st.booleans()),
        "orders_min": draw(st.integers(1, 9)),
    }
    if draw(st.booleans()):
        rest = draw(st.integers(0, count))
        shares = iter(draw(st.lists(st.integers(3, 14), min_size=count, max_size=count)))
        levels = [
            Level(name=name) if index == rest else Level(name=name, percent=next(shares))
            for index, name in enumerate(found)
        ]
        return Ladder(levels=tuple(levels), margin_percent=draw(st.integers(0, 3)), **common)
    starts = sorted(
        draw(st.lists(st.integers(1, 10_000), min_size=count, max_size=count, unique=True)), reverse=True
    )
    levels = [Level(name=name, at_least=start) for name, start in zip(found, starts, strict=False)]
    return Ladder(
        by=draw(st.sampled_from(["score", "spend"])),
        levels=(*levels, Level(name=found[-1])),
        margin_percent=draw(st.integers(0, 100)),
        **common,
    )


@st.composite
def weights(draw: st.DrawFn, metrics: list[str]) -> tuple[Weight, ...]:
    """Weights that add up to 1."""
    chosen = draw(st.lists(st.sampled_from(metrics), min_size=1, max_size=5, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, 1_000), min_size=len(chosen) - 1, max_size=len(chosen) - 1)))
    shares = [upper - lower for lower, upper in zip([0, *cuts], [*cuts, 1_000], strict=True)]
    return tuple(
        Weight(
            metric=metric,
            weight=share / 1_000,
            normaliser=draw(st.sampled_from(["log", "linear", "inverse"])),
            reference=draw(st.floats(1, 1e6)),
            unit=draw(st.floats(0.01, 1)),
            of=draw(of(metric)),
        )
        for metric, share in zip(chosen, shares, strict=True)
    )


def of(metric: str) -> st.SearchStrategy[tuple[str, ...]]:
    listed = st.lists(words, min_size=1, max_size=3).map(tuple)
    return listed if metric in NEEDS_NAMES else st.just(())


@st.composite
def rules(draw: st.DrawFn, ladder: Ladder, window_days: int, *, with_model: bool) -> tuple[ChurnRules, ...]:
    """Churn rules of all kinds, each with a name of its own."""
    found: list[ChurnRules] = []
    for name in draw(st.lists(names, max_size=4, unique=True)):
        common: dict[str, Any] = {
            "name": name,
            "severity": draw(st.sampled_from(["medium", "high"])),
            "contact_within_hours": draw(st.integers(1, 1_000)),
            "tiers": tuple(draw(st.lists(st.sampled_from(ladder.names), max_size=2))),
        }
        kinds: list[st.SearchStrategy[ChurnRules]] = [
            st.builds(SilenceRule, days=st.integers(7, min(1_100, window_days)), opened_counts=st.booleans(),
                      **{key: st.just(value) for key, value in common.items()}),
            st.builds(SilenceRule, months=st.integers(1, min(36, window_days // 31)),
                      **{key: st.just(value) for key, value in common.items()}),
            st.just(FrequencyRule(**common, recent_days=window_days // 4, past_days=window_days // 2)),
            st.just(CompetitorRule(**common)),
            st.builds(DisengagedRule, complaint_days=st.integers(1, 90),
                      **{key: st.just(value) for key, value in common.items()}),
        ]  # fmt: skip
        if with_model:
            kinds.append(st.just(ModelRule(**common, accept_degenerate=True)))
        found.append(draw(st.one_of(kinds)))
    return tuple(found)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy."""
    model = draw(st.none() | models)
    window_days = draw(st.integers(31, 3_660))
    metrics = [
        metric
        for metric in METRICS
        if (model is not None or metric != "predicted_value")
        and (window_days <= BY_MONTH_DAYS_MAX or metric not in BY_MONTH)
    ]
    ladder = draw(ladders())
    table = draw(rates)
    bonus = [metric for metric in metrics if metric not in NEEDS_NAMES]
    return Policy(
        name=draw(names),
        currency=draw(st.sampled_from([code for code in codes() if code not in CURRENCIES])),
        accepts=tuple(table),
        rates=table,
        time_zone=draw(st.sampled_from(["UTC", "Europe/London", "Asia/Kolkata", "America/St_Johns"])),
        window_days=window_days,
        lateness_days=draw(st.integers(1, 100)),
        returns_days=draw(st.integers(1, 3_660)),
        purchases_max=draw(st.integers(1, 10**9)),
        anonymous=tuple(draw(st.lists(words, max_size=3))),
        score=draw(weights(metrics)),
        bonus=tuple(
            draw(st.lists(st.builds(Bonus, metric=st.sampled_from(bonus), points=st.integers(1, 10_000))))
        ),
        tiers=ladder,
        churn=draw(rules(ladder, window_days, with_model=model is not None)),
        model=model,
        tags=draw(st.booleans()),
    )


@settings(deadline=None)
@given(policies())
def test_what_is_written_reads_back_as_the_same_policy(policy: Policy) -> None:
    """In YAML and in the table's JSON; written twice it is the same text."""
    text = write_policy(policy)
    again = read_policy(text, source="written")
    assert again == policy
    assert write_policy(again) == text
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


@settings(deadline=None)
@given(words)
def test_any_word_is_written_so_that_it_reads_back(word: str) -> None:
    """Whatever YAML would like to take it for."""
    policy = Policy(anonymous=(word, f"{word}: #", f" {word} "))
    assert read_policy(write_policy(policy), source="written").anonymous == policy.anonymous


def keys_of(node: Node) -> list[tuple[str, int, int]]:
    """Return every key of a document with its line and column."""
    if isinstance(node, ListNode):
        return [found for item in node.items for found in keys_of(item)]
    if not isinstance(node, MapNode):
        return []
    own = [(key, line, column) for key, (line, column) in node.keys.items()]
    return own + [found for value in node.values.values() for found in keys_of(value)]


def scalars_of(node: Node) -> list[ScalarNode]:
    """Return every value of a document."""
    if isinstance(node, ScalarNode):
        return [node]
    parts = (
        node.items
        if isinstance(node, ListNode)
        else node.values.values()
        if isinstance(node, MapNode)
        else ()
    )
    return [found for part in parts for found in scalars_of(part)]


def replaced(text: str, line: int, column: int, old: str, new: str) -> str:
    """Return the text with what stands at a place replaced."""
    lines = text.split("\n")
    assert lines[line][column:].startswith(old)
    lines[line] = lines[line][:column] + new + lines[line][column + len(old) :]
    return "\n".join(lines)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_typo_in_a_key_of_a_template_is_refused_with_its_line(name: str) -> None:
    """Each key in turn, with a letter missing, doubled or swapped."""
    text = template(name).text
    for key, line, column in keys_of(read_document(text, source=name).root):
        swapped = key[1] + key[0] + key[2:]
        for typo in {key[:-1], key + key[-1], swapped} - {key}:
            with pytest.raises(PolicyError) as refused:
                read_policy(replaced(text, line, column, key, typo), source=name)
            assert (line + 1, column + 1) in {(one.line, one.column) for one in refused.value.mistakes}
            assert any(repr(typo) in one.what for one in refused.value.mistakes)


values = st.one_of(
    st.sampled_from(
        [
            *(
                "",
                "~",
                "true",
                "yes",
                "0",
                "-1",
                "1e400",
                ".nan",
                "-.inf",
                "1e-300",
                "1e12",
                "0.5",
                "100",
                "3661",
            ),
            *(
                "[]",
                "{}",
                "[1]",
                "{a: 1}",
                "*a",
                "&a b",
                "!!int 3",
                "'",
                '"',
                "- a",
                "a: b",
                "\t",
                "spend",
                "at_risk",
            ),
            *("lapsed", "EUR", "model", "9" * 30, "0x1F", "2024-01-01", "|", ">", "@", "%", "#", "?", ":"),
        ]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=8),
)


def policy_or_mistakes(text: str) -> tuple[Policy | None, tuple[Mistake, ...]]:
    try:
        return read_policy(text, source="x"), ()
    except PolicyError as error:
        return None, error.mistakes


def reads_or_is_refused(text: str) -> Policy | None:
    """Read a text; whatever it is, the answer is a policy or a list of mistakes within it."""
    policy, mistakes = policy_or_mistakes(text)
    if policy is None:
        # YAML ends lines at more characters than "\n".
        lines = len(text.splitlines()) + text.count("\n") + 1
        assert mistakes
        assert all(1 <= one.line <= lines and one.column >= 1 for one in mistakes)
        return None
    assert read_policy(write_policy(policy), source="written") == policy
    return policy


@settings(deadline=None)
@given(st.sampled_from(TEMPLATES), st.data())
def test_any_value_in_the_place_of_another_reads_or_is_refused(name: str, data: st.DataObject) -> None:
    """Never a crash, and never a policy that can't be written, read and used."""
    text = template(name).text
    for _ in range(data.draw(st.integers(1, 3))):
        try:
            nodes = scalars_of(read_document(text, source=name).root)
        except PolicyError:
            break
        node = data.draw(st.sampled_from(nodes)) if nodes else None
        assume(node is not None and "\n" not in node.text)
        assert node is not None
        if text.split("\n")[node.line][node.column :].startswith(node.text):
            text = replaced(text, node.line, node.column, node.text, data.draw(values))
    policy = reads_or_is_refused(text)
    if policy is not None:
        _ = policy.fixed_cuts, policy.conversions, policy.shortest_silence_ms, policy.tiers.edges
        for weight in policy.score:
            assert all(0 <= weight.normalised(value) <= 1 for value in (-1e300, 0.0, 1e-300, 7.5, 1e300))


@settings(deadline=None)
@given(st.sampled_from(TEMPLATES), st.data())
def test_any_damage_to_lines_reads_or_is_refused(name: str, data: st.DataObject) -> None:
    """Lines lost, doubled, swapped, indented otherwise, or cut off."""
    lines = template(name).text.split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        here, there = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        kind = data.draw(st.sampled_from(["lose", "double", "swap", "indent", "outdent", "cut", "insert"]))
        line = lines[here]
        if kind == "lose" and len(lines) > 1:
            del lines[here]
        elif kind == "double":
            lines.insert(here, line)
        elif kind == "swap":
            lines[here], lines[there] = lines[there], line
        elif kind == "insert":
            place = data.draw(st.integers(0, len(line)))
            lines[here] = line[:place] + data.draw(values) + line[place:]
        else:
            cut = line[: data.draw(st.integers(0, len(line)))]
            lines[here] = {"indent": f"  {line}", "outdent": line.removeprefix("  ")}.get(kind, cut)
    reads_or_is_refused("\n".join(lines))


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_reads_or_is_refused(text: str) -> None:
    """Whatever somebody gives as a policy."""
    reads_or_is_refused(text)
