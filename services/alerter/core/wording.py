"""Evidence in words, for the person who makes the call."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from schemas.events import ChurnWarned, SilenceEvidence, TierChanged
from schemas.tiers import Cause, Tier

SUBJECT_CHARACTERS_MAX: Final = 120  # a product's name in a sentence; the whole of it is in the evidence

TIER_WORDS: Final = {
    Tier.HIGH_VALUE: "high value",
    Tier.REGULAR: "regular",
    Tier.AT_RISK: "at risk",
    Tier.LAPSED: "lapsed",
}
CAUSE_WORDS: Final = {
    Cause.EVENT: "because of a purchase",
    Cause.TIME: "because time passed",
    Cause.CROWD: "because the crowd moved the cut-offs",
    Cause.POLICY: "because the policy changed",
}
# Not strftime: its names depend on the machine's locale.
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How amounts and dates are written; both belong to the scorer's policy."""

    currency_exponent: int = 2  # minor units are 10^-exponent of a major one (ISO 4217)
    time_zone: tzinfo = UTC  # of dates

    def amount(self, minor: int) -> str:
        """Return an amount >= 0 in major units, without a currency: ``1,240.50``."""
        if self.currency_exponent == 0:
            return f"{minor:,}"
        major, rest = divmod(minor, 10**self.currency_exponent)
        return f"{major:,}.{rest:0{self.currency_exponent}d}"

    def date(self, at: datetime) -> str:
        """Return the local date: ``2 June 2026``."""
        local = at.astimezone(self.time_zone)
        return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def reason_of_welcome(event: TierChanged, wording: Wording) -> str:
    """Say how good the customer is, and what moved them up."""
    parts = event.proof.parts
    facts = (
        f"Score {event.proof.score:,} of 10,000: spent {wording.amount(parts.spend_minor)} in "
        f"{_count(parts.orders, 'order')} on {_count(parts.purchase_days, 'day')} in the last 12 months."
    )
    cause = CAUSE_WORDS[event.cause]
    if event.ranked_previous is None:
        return f"{facts} Entered at the top {cause}."
    return f"{facts} Moved up from {TIER_WORDS[event.ranked_previous]} {cause}."


def reason_of_silence(event: ChurnWarned, wording: Wording) -> str:
    """Say for how long nothing came, what was usual, and what the customer looked at."""
    evidence = event.evidence
    silence = f"No purchase or answer for {_count(evidence.silent_days, 'day')}"
    sentences = [f"{silence}{_rhythm(evidence.usual_gap_days)}."]
    if evidence.last_purchase_at is not None:
        sentences.append(f"Last purchase {wording.date(evidence.last_purchase_at)}.")
    if _answered_since(evidence) and evidence.last_response_at is not None:
        sentences.append(f"Last answer {wording.date(evidence.last_response_at)}.")
    looked = _looked_at(evidence)
    if looked:
        sentences.append(looked)
    return " ".join(sentences)


def printable(text: str) -> str:
    """Return the text with every unprintable character as a space.

    Browses name products in free text. PostgreSQL refuses NUL, and a direction mark (U+202E) would
    turn the rest of the sentence around.
    """
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _rhythm(usual_gap_days: float | None) -> str:
    if usual_gap_days is None:
        return ""
    days = round(usual_gap_days)
    return "; usually buys every day" if days <= 1 else f"; usually buys every {days} days"


def _answered_since(evidence: SilenceEvidence) -> bool:
    """Return whether the latest contact was an answer: then the silence counts from it."""
    answered, bought = evidence.last_response_at, evidence.last_purchase_at
    return answered is not None and (bought is None or answered > bought)


def _looked_at(evidence: SilenceEvidence) -> str:
    product = _subject(evidence.last_browse)
    competitor = _subject(evidence.competitor)
    looks = [f"last {product}"] if product else []  # the evidence says how: viewed, asked about
    looks += [f"looked at competitor {competitor}"] if competitor else []
    sentence = "; ".join(looks)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _subject(text: str | None) -> str:
    clean = printable(text or "")
    if len(clean) <= SUBJECT_CHARACTERS_MAX:
        return clean
    return clean[: SUBJECT_CHARACTERS_MAX - 1].rstrip() + "…"
