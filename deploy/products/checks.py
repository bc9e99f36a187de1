"""What a listing must be, beyond its wire form, to stand in the table of products."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.events import ProductListed
from schemas.times import to_ms
from schemas.wire import Reason, Refused
from services.scorer.core.products import latest
from services.scorer.records import FUTURE_MS_MAX


def check(listed: ProductListed, *, wall_ms: int) -> None:
    """Refuse what would hide every later word on the product.

    Raises:
        Refused: TIME, it is dated in the future.
    """
    if to_ms(listed.occurred_at) > wall_ms + FUTURE_MS_MAX:
        raise Refused(Reason.TIME, "the listing is dated more than 10 minutes after the wall clock")


def loadable(listed: Iterable[ProductListed], *, wall_ms: int) -> dict[str, ProductListed]:
    """Return the latest listing of each sku; those that ``check`` refuses are left out."""
    return latest(one for one in listed if _is_loadable(one, wall_ms))


def _is_loadable(listed: ProductListed, wall_ms: int) -> bool:
    try:
        check(listed, wall_ms=wall_ms)
    except Refused:
        return False
    return True
