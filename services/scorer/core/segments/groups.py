"""The 4-way and the 8-way groups: every one of the 125 RFM cells is in exactly one of each.

Points from the policy's ``high_from`` on are high. The eight, by recency, frequency and monetary value:

    high high high  important_value      high high low  general_value
    low  high high  important_keep       low  high low  general_keep
    high low  high  important_develop    high low  low  general_develop
    low  low  high  important_win_back   low  low  low  general_win_back

The four: ``high_value`` is recent, frequent and large; ``potential`` recent, seldom and large; ``low`` low
in all three; everybody else is ``general``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.scorer.core.segments.finding import Finding

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.segments.rfm import RfmPoints

High = tuple[bool, bool, bool]  # recency, frequency, monetary value

_EIGHT: Final[dict[High, tuple[str, str]]] = {
    (True, True, True): ("important_value", "Keep close: own advisor, first access, thanks in person."),
    (False, True, True): ("important_keep", "Was among the best and is quiet: call before it is a habit."),
    (True, False, True): ("important_develop", "Buys large and seldom: give reasons to come more often."),
    (False, False, True): ("important_win_back", "Once spent much: ask why, and make one good offer."),
    (True, True, False): ("general_value", "Comes often for little: show the better grade and bundles."),
    (False, True, False): ("general_keep", "Came often for little: remind, with an offer for the usual."),
    (True, False, False): ("general_develop", "Came lately: welcome, guide to the second purchase."),
    (False, False, False): ("general_win_back", "Low-cost automated contact; basic service as for all."),
}
_FOUR: Final[dict[High, str]] = {
    (True, True, True): "high_value",
    (True, False, True): "potential",
    (False, False, False): "low",
}
_FOUR_PLAYBOOK: Final = {
    "high_value": "Own advisor and priority; visit or call at an interval.",
    "potential": "Spends much when he comes: sample, upgrade offer, a reason to come again.",
    "general": "Ladder incentives and seasonal content.",
    "low": "Low-cost automated contact; basic service as for all.",
}
_WORDS: Final = (("recent", "long ago"), ("frequent", "seldom"), ("large", "small"))


def eight_way(points: RfmPoints, policy: Policy) -> Finding:
    """Return the one of eight groups that the points are in."""
    name, playbook = _EIGHT[_high(points, policy)]
    return Finding(name=name, evidence=(_sentence(points, policy),), playbook=playbook)


def four_way(points: RfmPoints, policy: Policy) -> Finding:
    """Return the one of four groups that the points are in."""
    name = _FOUR.get(_high(points, policy), "general")
    return Finding(name=name, evidence=(_sentence(points, policy),), playbook=_FOUR_PLAYBOOK[name])


def _high(points: RfmPoints, policy: Policy) -> High:
    high_from = policy.segments.rfm.high_from
    return points.r >= high_from, points.f >= high_from, points.m >= high_from


def _sentence(points: RfmPoints, policy: Policy) -> str:
    words = [pair[0] if high else pair[1] for pair, high in zip(_WORDS, _high(points, policy), strict=True)]
    return (
        f"Purchases are {words[0]}, {words[1]} and {words[2]}: {points.r}, {points.f} and {points.m} of 5 points, "
        f"high from {policy.segments.rfm.high_from}."
    )
