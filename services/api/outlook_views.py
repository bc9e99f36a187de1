"""What keeps or lifts a customer's tiers, segments and predictions, as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from pydantic import Field

from schemas.times import from_ms
from services.api.task_views import View
from services.scorer.core.state import NEVER_MS

if TYPE_CHECKING:
    from services.scorer.core.lift import Clearing, Keep, Outlook
    from services.scorer.core.predictions import Predictions
    from services.scorer.core.segments import Segments
    from services.scorer.core.standing import Standing


class LiftView(View):
    """How to reach a better ranked tier from now on."""

    tier: str = Field(description="ranked now")
    better: str | None = Field(
        description="the level that `amount_minor` reaches, else the next one; null at the top"
    )
    amount_minor: int | None = Field(
        description="of one purchase made now, the smallest that lifts; null: no single one does"
    )
    usual_minor: int = Field(description="the customer's average order value")
    purchases: int | None = Field(
        description="of the usual amount, one a day from now on; null: not within 60"
    )


class KeepView(View):
    """How to keep the ranked tier."""

    tier: str
    falls_at: datetime | None = Field(description="when it falls if nothing is bought; null: it does not")
    falls_to: str | None
    latest_at: datetime | None = Field(description="the last instant at which a purchase prevents it")
    amount_minor: int | None = Field(
        description="of one purchase at `latest_at`, the smallest that prevents it; null: none does"
    )
    then_falls_at: datetime | None = Field(
        description="when it falls in spite of that one, if nothing more is bought; null: never"
    )
    amount_now_minor: int | None = Field(
        description="of one purchase now that prevents it; null: none does, as it would not last as long"
    )


class ClearingView(View):
    """What would change the shown tier where it is not the ranked one."""

    shown: str
    ranked: str
    is_pinned: bool
    pinned_until: datetime | None = Field(description="null: no pin, or one until somebody ends it")
    by: list[Literal["purchase", "response", "solution"]] = Field(
        description="each alone is enough; empty: no single act is"
    )


class FindingView(View):
    """A segment, a stage or a band that a customer is in."""

    name: str = Field(description="stable, for programs")
    evidence: list[str] = Field(description="sentences for people")
    playbook: str = Field(description="how to treat who is in it; may be empty")


class RfmView(View):
    """RFM points, each 1 to 5; 5 is the best."""

    r: int
    f: int
    m: int
    weighted: float
    by_crowd: bool


class AttributesView(View):
    """Segments by attribute and behaviour; null where it is not known."""

    age_band: str | None = None
    sex: str | None = None
    occupation: str | None = None
    region: str | None = None
    channel: str | None = None
    category: str | None = None
    brand: str | None = None
    price_band: str | None = None
    evidence: list[str] = Field(default_factory=list)


class TagView(View):
    """One inferred preference."""

    kind: str
    subject: str
    text: str
    evidence: str


class SegmentsView(View):
    """All views of the customer; null where one says nothing about them, or nobody can tell yet."""

    rfm: RfmView | None = Field(description="null too while the crowd's quintiles are not known")
    eight_way: FindingView | None
    four_way: FindingView | None
    value: FindingView | None = Field(description="current value against potential")
    stage: FindingView
    sales_status: FindingView
    repurchase: FindingView | None
    repurchase_predicted: FindingView | None
    satisfaction: FindingView | None
    loyalty: FindingView
    relationship: FindingView | None
    attributes: AttributesView
    tags: list[TagView] = Field(description="empty unless the policy allows tags")


class TooLittleView(View):
    """What a frequency rule has to compare, and what it would take to judge."""

    recent_orders: int
    recent_days: int
    past_orders: int
    past_days: int = Field(
        description="of the past as long as it is so far; 0: the first purchase is within the recent days"
    )
    needed_orders: int = Field(description="in that past: from here on a fall can be told from chance")


class RuleView(View):
    """How the customer stands to one churn rule."""

    rule: str
    word: Literal["warned", "clear", "insufficient history", "not for this tier", "never bought"]
    why: str
    too_little: TooLittleView | None = Field(description="with `insufficient history` only")


class PredictionsView(View):
    """What the policy's model expects; probabilities are shares of 1."""

    model: str
    fit: Literal["usable", "degenerate"] = Field(
        description="degenerate: the fit says that nobody ever drops out, so `alive` tells nothing"
    )
    alive: float = Field(description="P(alive)")
    within_days: int
    no_purchase: float = Field(description="P(no purchase within `within_days`)")
    expected_purchases: float = Field(description="purchase days in the next 12 months")
    value_minor: int | None = Field(
        description="spend in the next 12 months; null where the policy has no spend model"
    )


class OutlookView(View):
    """What comes, if cut-offs stay and nothing happens but what is asked about."""

    customer_id: str
    as_of: datetime = Field(description="the instant that all of it is told for")
    policy_version: int
    cut_offs_version: int = Field(description="assumed to stay; 0: there are none yet")
    lift: LiftView | None = Field(description="null before the first purchase")
    keep: KeepView | None = Field(description="null before the first purchase")
    clearing: ClearingView | None = Field(description="null where the shown tier is the ranked one")
    segments: SegmentsView
    predictions: PredictionsView | None = Field(
        description="null where the policy has no model, or before the first purchase"
    )
    rules: list[RuleView] = Field(description="how the customer stands to each churn rule of the policy")


def outlook_view(
    customer_id: str,
    policy_version: int,
    found: Outlook,
    *,
    segments: Segments,
    predictions: Predictions | None,
    rules: tuple[Standing, ...],
) -> OutlookView:
    """Return what the core found out, as the API shows it."""
    return OutlookView(
        customer_id=customer_id,
        as_of=from_ms(found.as_of_ms),
        policy_version=policy_version,
        cut_offs_version=found.cut_offs_version,
        lift=None if found.lift is None else LiftView.model_validate(_plain(found.lift)),
        keep=None if found.keep is None else _keep(found.keep),
        clearing=None if found.clearing is None else _clearing(found.clearing),
        segments=SegmentsView.model_validate(_plain(segments)),
        predictions=None if predictions is None else PredictionsView.model_validate(_plain(predictions)),
        rules=[RuleView.model_validate(_plain(rule)) for rule in rules],
    )


def _keep(found: Keep) -> KeepView:
    return KeepView(
        tier=found.tier,
        falls_at=_at(found.falls_ms),
        falls_to=found.falls_to,
        latest_at=_at(found.latest_ms),
        amount_minor=found.amount_minor,
        then_falls_at=_at(found.then_falls_ms),
        amount_now_minor=found.amount_now_minor,
    )


def _clearing(found: Clearing) -> ClearingView:
    until_ms = found.pinned_until_ms
    return ClearingView(
        shown=found.shown,
        ranked=found.ranked,
        is_pinned=until_ms is not None,
        pinned_until=None if until_ms == NEVER_MS else _at(until_ms),
        by=_plain(found.by),
    )


def _plain(found: object) -> Any:
    return msgspec.to_builtins(found)


def _at(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else from_ms(at_ms)
