"""Policies as files: what is wrong is said with its line and what to do, and templates are in order."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from services.scorer.core.months import MONTHS_KEPT
from services.scorer.core.policy import Policy
from services.scorer.core.policy.checks import BY_MONTH_DAYS_MAX
from services.scorer.core.policy.scoring import BY_MONTH, METRICS
from services.scorer.policies import (
    NoSuchTemplateError,
    PolicyError,
    policy_schema,
    read_policy,
    read_policy_file,
    started,
    template,
    templates,
    write_policy,
)
from services.scorer.policies.convert import hints_of
from services.scorer.policies.descriptions import DESCRIPTIONS
from services.scorer.policies.schema import committed_schema_text, schema_text

RATES = "rates:\n  EUR: 1.08\n"
MODEL = "model:\n  purchases: {r: 0.2, alpha: 4, a: %s, b: 2.4}\n"


def mistakes(text: str) -> list[tuple[int, str]]:
    """Return line and words of each mistake."""
    with pytest.raises(PolicyError) as refused:
        read_policy(text, source="shop.yaml")
    assert len(refused.value.lines()) == len(refused.value.mistakes)
    assert all(line.startswith(f"shop.yaml:{one.line}:{one.column}: ")
               for one, line in zip(refused.value.mistakes, refused.value.lines(), strict=True))  # fmt: skip
    assert all(one.what and one.remedy for one in refused.value.mistakes)
    return [(one.line, str(one)) for one in refused.value.mistakes]


def tiers(*levels: str, by: str = "percentile", more: str = "") -> str:
    return f"churn: []\ntiers:\n  by: {by}\n{more}  levels:\n" + "".join(
        f"    - {{{one}}}\n" for one in levels
    )


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param(
            "name: a\nwindw_days: 3\n", 2,
            "windw_days: there is no key 'windw_days' here; did you mean window_days?",
            id="a typo in a key",
        ),
        pytest.param(
            "score:\n  - metric: spend\n    wieght: 1\n    weight: 1\n", 3,
            "score[0].wieght: there is no key 'wieght' here; did you mean weight?",
            id="a typo in a key of an entry",
        ),
        pytest.param(
            "name: a\nscore:\n  - {metric: spend, weight: 0.4}\n  - {metric: orders, weight: 0.5}\n", 2,
            "score: the weights add up to 0.9, not 1; change them so that they add up to 1",
            id="weights that don't add up to 1",
        ),
        pytest.param(
            "score:\n  - metric: ordrs\n    weight: 1\n", 2,
            "score[0].metric: there is no metric ordrs; did you mean orders? There are spend, orders,",
            id="an unknown metric",
        ),
        pytest.param(
            "score:\n  - metric: frequency\n    weight: 1\n", 2,
            "score[0].metric: there is no metric frequency; did you mean orders? There are spend, orders,",
            id="a metric by another name of the field",
        ),
        pytest.param(
            "score:\n  - metric: zzz\n    weight: 1\n", 2,
            "score[0].metric: there is no metric zzz; there are spend, orders,",
            id="a metric that is near to none",
        ),
        pytest.param(
            "currency: gbp\n", 1,
            "currency: 'gbp' is not an ISO 4217 code in use; write GBP",
            id="a currency in small letters",
        ),
        pytest.param(
            tiers("name: top, percent: 60", "name: rest", "name: low, percent: 40"), 4,
            "tiers.levels: the tiers overlap: shares of 100 % and margins of 2 x 2 leave no rest; lower a percent",
            id="overlapping tiers by percentile",
        ),
        pytest.param(
            tiers("name: silver, at_least: 10000", "name: gold, at_least: 20000", "name: rest", by="spend"), 6,
            "the tiers overlap: silver does not begin above gold; list the levels from the best down",
            id="overlapping tiers by spend",
        ),
        pytest.param(
            tiers("name: a, at_least: 10.002", "name: b, at_least: 10.001", "name: c", by="spend"), 6,
            "the tiers overlap: rounded to whole units, b begins where another level does; set the at_least",
            id="overlapping tiers by less than a cent",
        ),
        pytest.param(
            "name: a\naccepts: [EUR, GBP]\n" + RATES, 2,
            "accepts[1]: the currency GBP has no rate; add GBP to rates with the USD that one GBP is worth",
            id="a currency without a rate",
        ),
        pytest.param(
            "rates:\n  EUR: 1.08\n  EUX: 2\n", 3,
            "rates.EUX: 'EUX' is not an ISO 4217 code in use; give one such as USD, EUR or JPY",
            id="a rate of an unknown currency",
        ),
        pytest.param("rates:\n  EUR: -1\n", 2, "the rate of EUR is -1; give the USD that one EUR", id="a rate below 0"),
        pytest.param("rates:\n  EUR: 1e999999\n", 2, "the rate of EUR is 1E+999999; give the USD", id="a rate beyond everything"),
        pytest.param("rates:\n  EUR: 'NaN'\n", 2, "the rate of EUR is NaN; give the USD", id="a rate that is none"),
        pytest.param("rates: {USD: 1}\n", 1, "USD is the base currency and needs no rate", id="a rate of the base"),
        pytest.param(
            "churn:\n  - {rule: silence, name: a, days: 30}\n  - {rule: competitor, name: a}\n", 3,
            "churn[1].name: two churn rules are named a; give each its own name",
            id="two rules with one name",
        ),
        pytest.param(
            "name: a\n\ntime_zone: Europe/Lodon\n", 3,
            "time_zone: 'Europe/Lodon' is not an IANA time zone; give one such as UTC or Europe/London",
            id="an unknown time zone",
        ),
        pytest.param(
            "churn:\n  - rule: model\n    name: hope\n", 2,
            "churn[0]: the rule hope needs a model; fit one with tierstream fit and put it into the section model",
            id="a model rule without a model",
        ),
        pytest.param(
            MODEL % "0.0001" + "churn:\n  - {rule: model, name: hope}\n", 4,
            "churn[0]: the model is degenerate: by it 4.2e-05 of the customers drop out",
            id="a degenerate model",
        ),
        pytest.param(
            "score: [{metric: predicted_value, weight: 1}]\n", 1,
            "score[0].metric: the metric predicted_value needs a purchase and a spend model; fit both",
            id="a predicted value that nothing predicts",
        ),
        pytest.param(
            "window_days: 1095\nchurn: []\nscore: [{metric: margin, weight: 1}]\n", 3,
            "the metric margin is kept for 14 months, and the window has 1095 days; leave it out, or set window_days",
            id="a metric by month over a window of years",
        ),
        pytest.param(
            "churn:\n  - {rule: silence, name: a}\n", 2,
            "churn[0]: the rule a needs one length; give either days or months",
            id="a silence without a length",
        ),
        pytest.param(
            "churn:\n  - {rule: silense, name: a}\n", 2,
            "churn[0].rule: there is no rule 'silense'; did you mean silence? There are silence, frequency",
            id="an unknown kind of rule",
        ),
        pytest.param(
            "churn:\n  - {rule: competitor, name: a, tiers: [vip]}\n", 2,
            "churn[0].tiers[0]: the rule a is for vip, and no level has that name; name one of high_value, regular",
            id="a rule for a level that is not there",
        ),
        pytest.param(
            "tiers:\n  levels: [{name: gold, percent: 20}, {name: rest}]\n", 1,
            "no level has that name (by default: the file has no section churn); name one of gold, rest",
            id="a default rule for a level that is not there",
        ),
        pytest.param(
            "score:\n  - {metric: spend, weight: 1, reference: 1, unit: 1e11}\n", 2,
            "score[0].unit: the unit 1e+11 of spend does not go with the reference 1; choose a unit below",
            id="a logarithm that bends nowhere",
        ),
        pytest.param("rates: {EUR: 1." + "1" * 40 + "}\n", 1, "has more than 28 digits; round it", id="many digits"),
        pytest.param("churn:\n  -\trule: x\n", 2, "a tab", id="a tab"),
        pytest.param("name:\n\t- a\n", 2, "a tab where the indentation is; indent with spaces", id="a tab that indents"),
        pytest.param("name: a\nscore: [1, 2\n", 3, "no YAML: expected ',' or ']'", id="an open bracket"),
        pytest.param("name: a\n  b: c\n", 2, "a colon that YAML can't place; check the indentation", id="a wrong indentation"),
        pytest.param("name: \x07\n", 1, "a character that YAML does not allow; take it out", id="a control character"),
        pytest.param("", 1, "there is nothing in the file; begin with a template", id="an empty file"),
        pytest.param("# later\n", 1, "there is nothing in the file; begin with a template", id="only a comment"),
        pytest.param("\n- name: a\n", 2, "a policy is keys and values, and this is something else", id="a list"),
        pytest.param("---\nname: a\n---\nname: b\n", 3, "a second document begins", id="two documents"),
        pytest.param("name: a\nname: b\n", 2, "the key 'name' stands twice, first in line 1; keep one", id="a key twice"),
        pytest.param("name: !!str a\n", 1, "the tag 'tag:yaml.org,2002:str'; write plain values", id="a tag"),
        pytest.param("name: !!python/object:os.system a\n", 1, "write plain values, without tags", id="a malicious tag"),
        pytest.param("name: &a [*a]\n", 1, "*a stands for nothing that came before", id="an alias of itself"),
        pytest.param("%YAML 1.1\n---\nname: a\n", 2, "a directive other than %YAML 1.2", id="an older YAML"),
        pytest.param("name: a\nwindow_days: .nan\n", 2, "'.nan' is no number to reckon with; give a whole number", id="NaN"),
        pytest.param("window_days: .inf\n", 1, "'.inf' is no number to reckon with", id="infinity"),
        pytest.param("window_days: 1e400\n", 1, "'1e400' is no number to reckon with", id="more than a float"),
        pytest.param("purchases_max: " + "9" * 400 + "\n", 1, "is no number to reckon with", id="400 digits"),
        pytest.param("purchases_max: 99999999999\n", 1, "the value is 99999999999; give a whole number from 1 to 1000000000", id="huge"),
        pytest.param("window_days: 12.5\n", 1, "the value is 12.5; give a whole number from 1 to 3660", id="a fraction"),
        pytest.param("tags: yes\n", 1, "tags: the value is 'yes'; give true or false", id="yes is no truth value"),
        pytest.param("name:\n", 1, "name: the value is missing; give 1 to 40 of a-z 0-9 _", id="no value"),
        pytest.param("tiers: {by: percentil}\n", 1, "did you mean percentile? Give one of percentile, score", id="a near word"),
        pytest.param("tiers: three\n", 1, "the value 'three' where keys are expected; write keys and values", id="no section"),
        pytest.param("score: {}\n", 1, "keys and values where a list is expected; write a list", id="no list"),
        pytest.param("currency: [USD]\n", 1, "a list where one value is expected; give a text", id="no single value"),
        pytest.param("? [1]\n: 2\n", 1, "a list or mapping as a key; give the key a plain name", id="no key"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line_and_what_to_do(text: str, line: int, words: str) -> None:
    """Of each mistake: where, what, remedy."""
    (found,) = mistakes(text)
    assert found[0] == line
    assert words in found[1]


def test_mistakes_in_several_sections_are_said_at_once() -> None:
    """Whoever mends a file wants all of them, in the order of the file."""
    found = mistakes(
        "currency: usd\ntime_zone: Moon\nwindw_days: 3\nscore:\n  - {metric: spend, weight: 2}\n"
        "  - {metric: nothing, weight: 0.5}\nchurn:\n  - {rule: silence, name: a, days: 1}\n"
        "  - {rule: silence, name: A, days: 30}\nbonus:\n  - {points: 3}\n"
    )
    assert [line for line, _ in found] == [1, 2, 3, 5, 6, 8, 9, 11]


def test_a_broken_section_hides_no_fault_of_another_one() -> None:
    """The sum of the weights is checked although the ladder can't be read."""
    found = mistakes("tiers: 5\nscore: [{metric: spend, weight: 0.5}]\n")
    assert [line for line, _ in found] == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1,2,3,4,5,6,7,8,9]\n"
        + "".join(
            f"{y}: &{y} [{', '.join(['*' + x] * 9)}]\n" for x, y in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "a: " + "[" * 5_000,
        "a: " + "- " * 5_000,
        "- a\n" * 20_000,
        "name: " + "x" * 300_000,
    ],
    ids=["a billion laughs", "brackets", "dashes", "a long list", "a long word"],
)
def test_what_would_take_all_memory_or_time_is_refused_early(text: str) -> None:
    """Size, depth and number of values are bounded."""
    assert len(mistakes(text)) == 1


def test_an_alias_stands_for_what_it_names() -> None:
    """Plain values may be written once and used twice."""
    text = "anonymous: &ids [till-1, till-2]\nbonus: [{metric: browse_interest, points: 1, of: *ids}]\n"
    policy = read_policy(text, source="x")
    assert policy.bonus[0].of == policy.anonymous == ("till-1", "till-2")


def test_yaml_1_2_reads_words_as_words() -> None:
    """No Norway problem, no octal, no dates; decimals are exact."""
    policy = read_policy(
        "anonymous: [NO, on, 2024-01-01, '012', \"1\"]\nrates: {NOK: 0.0931, EUR: '1.10', JPY: 1}\nwindow_days: 0365\n",
        source="x",
    )
    assert policy.anonymous == ("NO", "on", "2024-01-01", "012", "1")
    assert policy.rates == {"NOK": Decimal("0.0931"), "EUR": Decimal("1.1"), "JPY": Decimal(1)}
    assert policy.window_days == 365


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    """With the line of the first byte that is none."""
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: a\n# für\n".encode("latin-1"))
    with pytest.raises(PolicyError, match=r"latin\.yaml:2:1: this is no UTF-8; save the file as UTF-8"):
        read_policy_file(path)


# -- templates ------------------------------------------------------------------------------------


def test_the_default_template_is_the_default_policy_and_says_all_of_it() -> None:
    """So nobody has to look up what the default is."""
    assert read_policy(template("default").text, source="default") == Policy.default()


@pytest.mark.parametrize("name", [one.name for one in templates()])
def test_every_template_is_in_order(name: str) -> None:
    """It reads, it is written and read again, the schema takes it, it states its goal and its own name."""
    one = template(name)
    policy = read_policy(one.text, source=name)
    assert policy.name == name
    assert one.goal.endswith(".")
    assert read_policy(write_policy(policy), source="written") == policy
    for text in (one.text, write_policy(policy)):
        data = YAML(typ="safe", pure=True).load(text)
        jsonschema.Draft202012Validator(policy_schema()).validate(data)
    assert one.text.splitlines()[0] == "# yaml-language-server: $schema=../policy.schema.json"
    assert Policy.from_json(json.loads(json.dumps(policy.to_json()))) == policy


def test_every_template_file_is_listed() -> None:
    """None lies there that nobody can choose."""
    folder = resources.files("services.scorer.policies.templates")
    found = {one.name.removesuffix(".yaml") for one in folder.iterdir() if one.name.endswith(".yaml")}
    assert found == {one.name for one in templates()}


@pytest.mark.parametrize("name", [one.name for one in templates()])
def test_a_template_begins_in_another_currency_and_zone(name: str) -> None:
    """And is otherwise the same, comments and all."""
    text = started(name, currency="JPY", time_zone="Asia/Tokyo")
    policy = read_policy(text, source="x")
    assert (policy.currency, policy.time_zone) == ("JPY", "Asia/Tokyo")
    assert template(name).goal in text


def test_an_unknown_template_is_named_with_those_there_are() -> None:
    """And the one that was meant."""
    with pytest.raises(NoSuchTemplateError, match="no template hospitalty; did you mean hospitality"):
        template("hospitalty")
    assert template("e-commerce") is template("e_commerce")


def test_the_small_shop_has_the_thresholds_that_were_asked_for() -> None:
    """10,000 is silver, 20,000 is gold."""
    levels = read_policy(template("small_shop").text, source="x").tiers.levels
    assert [(one.name, one.at_least) for one in levels[:2]] == [("gold", 20_000), ("silver", 10_000)]


# -- schema and descriptions ----------------------------------------------------------------------


def test_the_schema_beside_the_templates_is_current() -> None:
    """When it is not: ``tierstream policy schema > services/scorer/policies/policy.schema.json``."""
    assert committed_schema_text() == schema_text()
    jsonschema.Draft202012Validator.check_schema(policy_schema())


@pytest.mark.parametrize(
    "text",
    [
        "windw_days: 3",
        "score: [{metric: ordrs, weight: 1}]",
        "tiers: {by: percentil}",
        "churn: [{rule: silense, name: a}]",
        "currency: usd",
        "accepts: [EUX]",
        "rates: {EUX: 1}",
        "rates: {EUR: -1}",
        "window_days: 0",
        "name: Shop",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(text: str) -> None:
    """An editor underlines it before anybody runs a check."""
    mistakes(text)
    data = YAML(typ="safe", pure=True).load(text)
    assert not jsonschema.Draft202012Validator(policy_schema()).is_valid(data)


def test_every_key_is_described() -> None:
    """In comments of written files and in editors."""
    for name, body in {"Policy": policy_schema(), **policy_schema()["$defs"]}.items():
        keys = set(body.get("properties", {})) - {"rule"}
        assert keys == set(DESCRIPTIONS.get(name, {})), name
    assert set(DESCRIPTIONS["Policy"]) == set(hints_of(Policy))


def test_the_longest_window_of_metrics_by_month_is_what_the_ledger_keeps() -> None:
    """Its months are the window's and the current one."""
    assert 12 * BY_MONTH_DAYS_MAX // 365 == MONTHS_KEPT - 1
    assert 12 * (BY_MONTH_DAYS_MAX + 1) // 365 == MONTHS_KEPT
    assert set(METRICS) >= BY_MONTH
