"""What to do about a customer who turns away: the advice follows the likely reason."""

from typing import Final

from schemas.events import ChurnEvidence
from schemas.tiers import WinBackReason
from services.alerter.core.wording import printable, subject

SENTENCES_MAX: Final = 3  # the strongest signs; all of them are in the evidence

_PRICE: Final = "Make a returning offer: an extra 10 % off the next purchase."
_SERVICE: Final = "Solve it with them one to one, give them the fast channel, and offer a free service."
_QUALITY: Final = "Say sorry and offer a replacement."
_ASK: Final = (
    "Ask why. If it was the price: returning offer, extra 10 % off. If it was the service: solve it one to "
    "one, offer the fast channel and a free service. If it was a competitor: send the comparison of "
    "strengths. If it was the product: offer a replacement."
)


def win_back(evidence: ChurnEvidence) -> str:
    """Return the advice for the reason that the evidence names, with the signs that it rests on."""
    signs = [printable(sentence) for sentence in evidence.reason_evidence[:SENTENCES_MAX]]
    match evidence.reason:
        case WinBackReason.PRICE:
            words = ["It seems to be the price.", *signs, _PRICE]
        case WinBackReason.SERVICE:
            words = ["It seems to be the service.", *signs, _SERVICE]
        case WinBackReason.COMPETITOR:
            words = ["It seems to be a competitor.", *signs, _comparison(evidence.competitor)]
        case WinBackReason.QUALITY:
            words = ["It seems to be the product.", *signs, _QUALITY]
        case WinBackReason.UNKNOWN:
            words = [*signs, _ASK]
    return " ".join(words)


def _comparison(competitor: str | None) -> str:
    beside = subject(competitor)
    beside = f" beside those of {beside}" if beside else " beside theirs"
    return f"Send the comparison that shows our strengths{beside}, and talk it through."
