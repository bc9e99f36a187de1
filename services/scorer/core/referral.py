"""The referral that a purchase shows: who named another customer as the one that sent him.

The scorer publishes it, and a replay writes it into the log beforehand. Both call this function, so both
say the same with the same id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid5

from schemas.events import ReferralMade, type_of
from services.scorer.core.identity import OUTPUT_NAMESPACE

if TYPE_CHECKING:
    from schemas.events import PurchaseRecorded

_TYPE: Final = type_of(ReferralMade)


def referral_of(purchase: PurchaseRecorded) -> ReferralMade | None:
    """Return the referral that a purchase makes, None when it makes none.

    A return refers nobody, and nobody refers himself. The ``event_id`` is that of the pair: a second
    purchase with the same referrer gives the same id, at another time, and must not be published again.
    """
    referrer = purchase.referred_by
    if referrer is None or referrer == purchase.customer_id or purchase.kind == "return":
        return None
    return ReferralMade(
        event_id=referral_id(referrer, purchase.customer_id),
        customer_id=referrer,
        occurred_at=purchase.occurred_at,
        referred_customer_id=purchase.customer_id,
        purchase_event_id=purchase.event_id,
    )


def referral_id(referrer: str, referred: str) -> str:
    """Return the ``event_id`` of the pair's derived referral. No id holds a space, so no two pairs agree."""
    return uuid5(OUTPUT_NAMESPACE, f"{_TYPE} {referrer} {referred}").hex
