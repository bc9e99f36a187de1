"""A churn warning in words: what it rests on, what else is known, and by when to call."""

from typing import Final

from schemas.events import (
    ChurnBasis,
    ChurnEvidence,
    ChurnWarned,
    CompetitorBasis,
    DisengagedBasis,
    FrequencyBasis,
    ModelBasis,
    SilenceBasis,
)
from schemas.times import DAY_MS, to_ms
from services.alerter.core.wording import Wording, count, day_words, subject, tier_words

_FRACTIONS: Final = {
    2: "half",
    3: "a third",
    4: "a quarter",
    5: "a fifth",
    6: "a sixth",
    7: "a seventh",
    8: "an eighth",
    9: "a ninth",
    10: "a tenth",
}
_ALMOST_AS_OFTEN: Final = 2 / 3  # a ratio above it is no fraction that one would name
_TENTH_MIN: Final = 2 / 21  # rounds to a tenth
_DAY_HOURS: Final = 24
_HOURS_MAX: Final = 72  # a longer deadline is said in days
_TIMES_MAX: Final = 1000  # what is rarer by chance is as good as impossible


def title_of(event: ChurnWarned) -> str:
    """Return the task's title: who, and what is the matter, in a few words."""
    evidence = event.evidence
    is_best = evidence.ranked_level == 0 and event.severity == "high"
    who = f"{tier_words(evidence.ranked_tier)} customer " if is_best else ""
    return f"Call back: {who}{_matter(evidence.basis)}"


def why_of(event: ChurnWarned, wording: Wording) -> str:
    """Say what the warning rests on, what the customer did last, and by when to call."""
    evidence = event.evidence
    sentences = [
        *_basis_sentences(event, wording),
        *_last_sentences(evidence, wording),
        *_look_sentences(evidence),
        f"Call back within {deadline(event.contact_within_hours)}.",
    ]
    return " ".join(sentences)


def deadline(hours: int) -> str:
    """Return a deadline in words: ``48 h``, ``7 days``."""
    if hours > _HOURS_MAX and hours % _DAY_HOURS == 0:
        return count(hours // _DAY_HOURS, "day")
    return f"{hours:,} h"


def percent(share: float) -> str:
    """Return a probability in words: ``24 %``, ``under 1 %``."""
    rounded = round(100 * min(1.0, max(0.0, share)))
    if rounded < 1:
        return "under 1 %"
    return "over 99 %" if rounded >= 100 else f"{rounded} %"  # noqa: PLR2004 -- percent


def _matter(basis: ChurnBasis) -> str:
    match basis:
        case SilenceBasis():
            return f"silent for {count(basis.silent_days, 'day')}"
        case FrequencyBasis():
            return "buying less often than before"
        case CompetitorBasis():
            return f"looking at {subject(basis.competitor) or 'a competitor'}"
        case ModelBasis():
            return f"{percent(1 - basis.probability_no_purchase)} likely to buy again"
        case DisengagedBasis():
            return "unsubscribed" if basis.what == "unsubscribed" else "left with an unsolved complaint"


def _basis_sentences(event: ChurnWarned, wording: Wording) -> list[str]:
    basis, rhythm = event.evidence.basis, _rhythm(event.evidence.usual_gap_days)
    match basis:
        case SilenceBasis():
            return [f"No purchase or answer for {count(basis.silent_days, 'day')}{rhythm}."]
        case FrequencyBasis():
            return _frequency(basis)
        case CompetitorBasis():
            who = subject(basis.competitor) or "a competitor"
            return [f"Looked at or asked about {who} on {wording.date(basis.at)}."]
        case ModelBasis():
            chance = percent(1 - basis.probability_no_purchase)
            return [
                f"Repurchase probability {chance} in the next {count(basis.within_days, 'day')}{rhythm}.",
                f"No purchase since {day_words(basis.last_purchase_day)}.",
            ]
        case DisengagedBasis():
            return [_disengaged(event, basis, wording)]


def _frequency(basis: FrequencyBasis) -> list[str]:
    """Say both counts, the plain ratio and the test: a count can be low by chance."""
    recent = count(basis.recent_orders, "order") if basis.recent_orders else "No order"
    counts = (
        f"{recent} in the last {count(basis.recent_days, 'day')}, "
        f"{basis.past_orders:,} in the {basis.past_days:,} before"
    )
    counts += f": about {_pace(basis.ratio)} as often." if basis.recent_orders else "."
    if basis.significant:
        return [counts, f"By chance alone that happens {_odds(basis.probability)}."]
    return [counts, f"It may be chance: alone it does that {_odds(basis.probability)}."]


def _pace(ratio: float) -> str:
    """Return a rate beside the one before as a fraction: ``a seventh``."""
    if ratio > _ALMOST_AS_OFTEN:
        return percent(ratio)
    return "less than a tenth" if ratio < _TENTH_MIN else _FRACTIONS[round(1 / ratio)]


def _odds(probability: float) -> str:
    """Return a probability as odds: ``once in 40 times``."""
    if probability * _TIMES_MAX < 1:
        return "less than once in a thousand times"
    times = round(1 / probability)
    return f"once in {times:,} times" if times > 1 else "more often than not"


def _disengaged(event: ChurnWarned, basis: DisengagedBasis, wording: Wording) -> str:
    if basis.what == "unsubscribed":
        return f"Unsubscribed from campaigns on {wording.date(basis.at)}."
    days = max(0, to_ms(event.occurred_at) - to_ms(basis.at)) // DAY_MS
    case = subject(basis.contact_id)
    number = f" (case {case})" if case else ""
    return f"A complaint of {wording.date(basis.at)}{number} is not solved after {count(days, 'day')}."


def _rhythm(usual_gap_days: float | None) -> str:
    if usual_gap_days is None:
        return ""
    return f" (usual gap {count(max(1, round(usual_gap_days)), 'day')})"


def _last_sentences(evidence: ChurnEvidence, wording: Wording) -> list[str]:
    """Say when the customer bought last, and when he answered if that was later."""
    bought, answered = evidence.last_purchase_at, evidence.last_response_at
    sentences = []
    if bought is not None and not isinstance(evidence.basis, ModelBasis):
        sentences.append(f"Last purchase {wording.date(bought)}.")
    if answered is not None and (bought is None or answered > bought):
        sentences.append(f"Last answer {wording.date(answered)}.")
    return sentences


def _look_sentences(evidence: ChurnEvidence) -> list[str]:
    """Say what the customer looked at; a competitor with the day, where the reason tells it."""
    product, competitor = subject(evidence.last_browse), subject(evidence.competitor)
    sentences = [f"Last {product}."] if product else []  # the evidence says how: viewed, asked about
    basis = evidence.basis
    if not competitor or (isinstance(basis, CompetitorBasis) and subject(basis.competitor) == competitor):
        return sentences
    dated = [one for one in evidence.reason_evidence if f"about {competitor} on " in one][-1:]  # the latest
    return [*sentences, subject("".join(dated)) or f"Looked at competitor {competitor}."]
