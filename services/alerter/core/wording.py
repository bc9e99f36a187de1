"""Evidence in words, for the person who makes the call."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from schemas.events import Pin, TierChanged
from schemas.tiers import Cause

SUBJECT_CHARACTERS_MAX: Final = 120  # a product's name in a sentence; the whole of it is in the evidence

_YEAR_DAYS: Final = 365
CAUSE_WORDS: Final = {
    Cause.EVENT: "because of what they did",  # a purchase, or with other metrics a referral, a visit
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
    """How amounts, dates and the window are written; all belong to the scorer's policy."""

    currency_exponent: int = 2  # minor units are 10^-exponent of a major one (ISO 4217)
    time_zone: tzinfo = UTC  # of dates
    window_days: int = 365  # in which a customer's purchases are counted

    def amount(self, minor: int) -> str:
        """Return an amount >= 0 in major units, without a currency: ``1,240.50``."""
        if self.currency_exponent == 0:
            return f"{minor:,}"
        major, rest = divmod(minor, 10**self.currency_exponent)
        return f"{major:,}.{rest:0{self.currency_exponent}d}"

    def date(self, at: datetime) -> str:
        """Return the local date: ``2 June 2026``."""
        return day_words(at.astimezone(self.time_zone).date())

    @property
    def window(self) -> str:
        """Name the window: ``12 months``, or its days."""
        return "12 months" if self.window_days == _YEAR_DAYS else count(self.window_days, "day")


def reason_of_welcome(event: TierChanged, wording: Wording) -> str:
    """Say how good the customer is, and what moved them up."""
    parts = event.proof.parts
    facts = (
        f"Score {event.proof.score:,} of 10,000: spent {wording.amount(parts.spend_minor)} in "
        f"{count(parts.orders, 'order')} on {count(parts.purchase_days, 'day')} in the last {wording.window}."
    )
    cause = CAUSE_WORDS[event.cause]
    if event.ranked_previous is None:
        moved = f"Entered at the top {cause}."
    else:
        moved = f"Moved up from {tier_words(event.ranked_previous)} {cause}."
    pinned = "" if event.proof.pin is None else f" {_pinned(event.proof.pin)}"
    return f"{facts} {moved}{pinned}"


def day_words(day: date) -> str:
    """Return a business day, which is local already: ``2 June 2026``."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def tier_words(name: str) -> str:
    """Return a tier's name as a policy writes it, in words: ``high value``."""
    return name.replace("_", " ")


def count(number: int, noun: str) -> str:
    """Return a number of things: ``1 order``, ``3 orders``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def subject(text: str | None) -> str:
    """Return free text short enough for a sentence, and harmless; empty for none."""
    clean = printable(text or "")
    if len(clean) <= SUBJECT_CHARACTERS_MAX:
        return clean
    return clean[: SUBJECT_CHARACTERS_MAX - 1].rstrip() + "…"


def printable(text: str) -> str:
    """Return the text with every unprintable character as a space.

    Browses name products in free text. PostgreSQL refuses NUL, and a direction mark (U+202E) would
    turn the rest of the sentence around.
    """
    return "".join(character if character.isprintable() else " " for character in text).strip()


def _pinned(pin: Pin) -> str:
    return f"Shown as {tier_words(pin.tier)}, as {subject(pin.decided_by)} decided: {subject(pin.cause)}."
