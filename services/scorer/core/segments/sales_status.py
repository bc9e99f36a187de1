"""The sales status: potential, intending or closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.times import DAY_MS
from services.scorer.core.segments.finding import Finding
from services.scorer.core.segments.wording import local_date

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import Sighting, State

_INTENTIONS: Final = {
    "carted": "Put into the cart",
    "asked": "Asked about",
    "clicked": "Clicked the campaign",
}
PLAYBOOK: Final = {
    "potential": "Inform and inspire; no pressure.",
    "intending": "Answer what holds him back; a second offer after a few days without purchase.",
    "closed": "Make sure that it works out; then the next need.",
}


def sales_status(state: State, policy: Policy) -> Finding:
    """Return the status at the customer's clock.

    intending: carted, asked or clicked within ``intending_days`` and bought nothing since · closed: bought
    before and intends nothing now · potential: never bought and shows no intention.
    """
    wish = _open_wish(state, policy)
    if wish is not None:
        what = f"{_INTENTIONS[wish.kind]} {wish.subject} on {local_date(wish.time_ms, policy)}"
        return _found("intending", f"{what} and bought nothing since.")
    if state.last_purchase_ms is not None:
        return _found("closed", f"Last purchase on {local_date(state.last_purchase_ms, policy)}.")
    return _found("potential", "Never bought, and showed no intention lately.")


def _open_wish(state: State, policy: Policy) -> Sighting | None:
    """Return the latest sign of an intention that no purchase came after."""
    since_ms = state.settled_ms - policy.segments.intending_days * DAY_MS
    return next(
        (
            one
            for one in reversed(state.recent)
            if one.kind in _INTENTIONS
            and one.time_ms > since_ms
            and (state.last_purchase_ms is None or one.time_ms > state.last_purchase_ms)
        ),
        None,
    )


def _found(name: str, evidence: str) -> Finding:
    return Finding(name=name, evidence=(evidence,), playbook=PLAYBOOK[name])
