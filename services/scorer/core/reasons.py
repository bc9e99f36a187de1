"""Why a customer seems to turn away, inferred from what is remembered; an advisor's word counts more.

The strongest sign wins: what the customer said to us, before what he looked at, before what he sent back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from schemas.tiers import WinBackReason
from schemas.times import DAY_MS, from_ms
from services.scorer.core import facts
from services.scorer.core.state import NEVER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.scorer.core.policy import Policy
    from services.scorer.core.state import Case, State

LOOK_BACK_MS: Final = 180 * DAY_MS  # older signs explain nothing any more
RETURNED_MIN: Final = 2  # orders sent back, from which on the product is suspected
TOPIC_REASON: Final = {
    "price": WinBackReason.PRICE,
    "service": WinBackReason.SERVICE,
    "waiting_time": WinBackReason.SERVICE,
    "delivery": WinBackReason.SERVICE,
    "quality": WinBackReason.QUALITY,
    "competitor": WinBackReason.COMPETITOR,
}


Sign: TypeAlias = tuple[int, WinBackReason, str, int]  # strength, reason, sentence, when


def reason_of(
    state: State, policy: Policy, rule: str, start_ms: int
) -> tuple[WinBackReason, tuple[str, ...]]:
    """Return the likely reason of an episode and the sentences that it rests on, the strongest first."""
    corrected = next((one for one in state.corrections if (one.rule, one.start_ms) == (rule, start_ms)), None)
    signs = sorted(_signs(state, policy, start_ms), key=lambda sign: (-sign[0], -sign[3]))  # the newest first
    sentences = tuple(dict.fromkeys(sentence for _, _, sentence, _ in signs))
    if corrected is not None:
        return WinBackReason(corrected.reason), ("An advisor corrected the reason.", *sentences)
    return (signs[0][1] if signs else WinBackReason.UNKNOWN), sentences


def _signs(state: State, policy: Policy, start_ms: int) -> Iterator[Sign]:
    """Yield every sign up to the start."""
    since_ms = start_ms - LOOK_BACK_MS
    for case in state.cases:
        if since_ms < case.opened_ms <= start_ms:
            yield from _signs_of_case(case, policy)
    for mention in state.mentions:
        if since_ms < mention.time_ms <= start_ms:
            sentence = f"Looked at or asked about {mention.competitor} on {_day(mention.time_ms, policy)}."
            yield 2, WinBackReason.COMPETITOR, sentence, mention.time_ms
    returned = [
        fact
        for fact in facts.every(state.purchases)
        if not fact.is_sale and since_ms < fact.time_ms <= start_ms
    ]
    if len(returned) >= RETURNED_MIN:
        sentence = f"Sent something back {len(returned)} times in the half year before."
        yield 1, WinBackReason.QUALITY, sentence, returned[-1].time_ms


def _signs_of_case(case: Case, policy: Policy) -> Iterator[Sign]:
    solved = "" if case.solved_ms != NEVER_MS else ", not solved"
    kind, opened = case.kind.replace("_", " "), _day(case.opened_ms, policy)
    for topic in case.topics:
        reason = TOPIC_REASON.get(topic)
        if reason is not None:
            strength = 4 if case.kind == "complaint" else 3
            about = topic.replace("_", " ")
            article = "An" if kind[0] in "aeiou" else "A"
            sentence = f"{article} {kind} about {about} on {opened}{solved}."
            yield strength, reason, sentence, case.opened_ms
    if not case.topics and case.kind == "complaint":
        yield 3, WinBackReason.SERVICE, f"A complaint on {opened}{solved}.", case.opened_ms


def _day(at_ms: int, policy: Policy) -> str:
    return from_ms(at_ms).astimezone(policy.zone).date().isoformat()
