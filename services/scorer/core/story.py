"""A tier change, and what keeps or lifts the tier, in sentences that one can follow with a calculator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.tiers import AT_RISK, LAPSED, Cause
from schemas.times import to_ms
from services.scorer.core.metrics import BY_NAME
from services.scorer.core.score import SCORE_MAX
from services.scorer.core.segments.wording import amount, counted, local_date
from services.scorer.core.state import NEVER_MS

if TYPE_CHECKING:
    from schemas.events import CutPoint, MetricPoints, TierChanged
    from services.scorer.core.lift import Clearing, Keep, Lift, Outlook
    from services.scorer.core.policy import Policy
    from services.scorer.core.policy.scoring import Bonus, Weight

_CAUSES: Final = {
    Cause.TIME: "Time moved it: a purchase left the window, a dwell ended, or a silence grew too long.",
    Cause.CROWD: "The crowd moved it: the cut-offs changed, the customer did nothing.",
    Cause.POLICY: "Another policy moved it: the customer did nothing.",
}
_REMEDIES: Final = {
    "purchase": "any purchase",
    "response": "an answer to a campaign",
    "solution": "the solution of the complaint",
}


def story(change: TierChanged, policy: Policy) -> list[str]:
    """Return why a customer is in his tier: arithmetic of the score, cut-offs, hysteresis, dwell and cause."""
    return [
        _headline(change, policy),
        *_arithmetic(change, policy),
        *_cuts(change, policy),
        _cause(change),
        *_shown(change, policy),
    ]


def advice(outlook: Outlook, policy: Policy) -> list[str]:
    """Return what keeps and lifts the tiers, and what is assumed for it."""
    said = []
    if outlook.lift is not None:
        said.append(_lift(outlook.lift, policy))
    if outlook.keep is not None:
        said.append(_keep(outlook.keep, policy))
    if outlook.clearing is not None:
        said.append(_clearing(outlook.clearing, policy))
    if said:
        said.append(
            f"Assumed: cut-offs stay at version {outlook.cut_offs_version}, and nothing else happens."
        )
    return said


def _headline(change: TierChanged, policy: Policy) -> str:
    day = local_date(to_ms(change.occurred_at), policy)
    if change.previous is None:
        return f"First tier on {day}: {change.current}, ranked {change.ranked_current}."
    shown = (
        f"from {change.previous} to {change.current}" if change.previous != change.current else "unchanged"
    )
    ranked = (
        f"from {change.ranked_previous} to {change.ranked_current}"
        if change.ranked_previous != change.ranked_current
        else f"still {change.ranked_current}"
    )
    return f"On {day}: shown tier {shown}, ranked tier {ranked}."


def _arithmetic(change: TierChanged, policy: Policy) -> list[str]:
    parts = change.proof.parts.points
    lines = [_share(part, weight, policy) for part, weight in zip(parts, policy.score, strict=False)]
    bonuses = parts[len(policy.score) :]
    lines += [_bonus(part, bonus) for part, bonus in zip(bonuses, policy.bonus, strict=False)]
    total = sum(part.points for part in parts)
    most = f", at most {SCORE_MAX:,}" if total > SCORE_MAX else ""
    return [*lines, f"Sum {total:,.1f}, rounded{most}: score {change.proof.score:,}."]


def _share(part: MetricPoints, weight: Weight, policy: Policy) -> str:
    """Return a metric's line: its value, the normaliser written out, the weight, and the points."""
    value, reference, bend = _number(part.value), _number(weight.reference), _number(weight.unit)
    formula = {
        "log": f"ln(1 + {value}/{bend}) / ln(1 + {reference}/{bend})",
        "linear": f"{value}/{reference}",
        "inverse": f"1 - {value}/{reference}",
    }[weight.normaliser]
    share = weight.normalised(part.value)
    beyond = share in {0.0, 1.0} and part.value not in {0, weight.reference}
    kept = ", kept within 0 and 1" if beyond else ""
    unit = BY_NAME[part.metric].unit
    unit = policy.currency if unit == "major units" else unit
    return (
        f"{_named(part.metric, weight.of)}, {value} ({unit}): {formula} = {share:.4f}{kept}; "
        f"x {weight.weight:g} x {SCORE_MAX:,} = {part.points:,.1f} points."
    )


def _bonus(part: MetricPoints, bonus: Bonus) -> str:
    name = _named(part.metric, bonus.of)
    return f"Bonus for {name}: {int(part.value)} x {bonus.points:,}, at most {bonus.points_max:,} = {part.points:,.0f} points."


def _cuts(change: TierChanged, policy: Policy) -> list[str]:
    proof, ladder = change.proof, policy.tiers
    if proof.cut_offs is None:
        return ["There were no cut-offs yet: nobody was active."]
    by_spend = ladder.by == "spend"
    value = proof.parts.spend_minor if by_spend else proof.score

    def shown(at: int) -> str:
        return amount(at, policy) if by_spend else f"{at:,}"

    of = "of the policy" if ladder.is_fixed else f"version {proof.cut_offs_version} of the crowd"
    lines = [f"Ranked by {shown(value)} against cut-offs {of}:"]
    lines += [
        f"{point.above}: up into it from {shown(point.enter)}, down out of it below {shown(point.leave)}, "
        f"newcomers from {shown(point.plain)}; {_side(value, point)}."
        for point in proof.cut_offs.points
    ]
    held = f"A downgrade waits until {counted(ladder.dwell_days, 'day')} after the last change"
    return [*lines, held + (", and goes one level at a time." if ladder.soft_landing else ".")]


def _side(value: int, point: CutPoint) -> str:
    if value >= point.enter:
        return "above"
    return "below" if value < point.leave else "between: whoever is in it stays, whoever is not stays out"


def _cause(change: TierChanged) -> str:
    if change.cause is Cause.EVENT:
        return f"The customer's own event moved it: {change.causation_id}."
    return _CAUSES[change.cause]


def _shown(change: TierChanged, policy: Policy) -> list[str]:
    pin = change.proof.pin
    if pin is not None:
        until = "it is taken back" if pin.until is None else local_date(to_ms(pin.until), policy)
        return [f"Shown is {pin.tier}, pinned by {pin.decided_by} until {until}: {pin.cause}"]
    if change.current == change.ranked_current:
        return []
    if change.current == LAPSED:
        return ["Shown is lapsed: nothing bought in the window."]
    return ["Shown is at_risk: a warning is open."] if change.current == AT_RISK else []


def _lift(found: Lift, policy: Policy) -> str:
    if found.better is None:
        return f"Ranked {found.tier}: there is no better tier."
    if found.amount_minor is not None:
        return f"Up to {found.better}: one purchase of {amount(found.amount_minor, policy)} or more, now."
    usual = amount(found.usual_minor, policy)
    if found.purchases is None:
        return f"Up to {found.better}: no single purchase does it, nor do daily ones of the usual {usual}."
    times = counted(found.purchases, "purchase")
    return f"Up to {found.better}: no single purchase does it; {times} of the usual {usual}, one a day, do."


def _keep(found: Keep, policy: Policy) -> str:
    if found.falls_ms is None or found.latest_ms is None:
        return f"Ranked {found.tier}: it does not fall by time alone."
    falls = f"Ranked {found.tier} until {local_date(found.falls_ms, policy)}, then {found.falls_to}"
    if found.amount_minor is None:
        return f"{falls}; no single purchase prevents it."
    least = f"{falls}; a purchase of {amount(found.amount_minor, policy)} or more, at the latest on "
    least += f"{local_date(found.latest_ms, policy)}, prevents it"
    if found.then_falls_ms is not None:
        least += f" until {local_date(found.then_falls_ms, policy)}"
    if found.amount_now_minor == found.amount_minor:
        return f"{least}."
    if found.amount_now_minor is None:
        return f"{least}; made today it would not last as long."
    return f"{least}; made today it takes {amount(found.amount_now_minor, policy)}."


def _clearing(found: Clearing, policy: Policy) -> str:
    if found.pinned_until_ms is not None:
        never = found.pinned_until_ms == NEVER_MS
        until = "it is taken back" if never else local_date(found.pinned_until_ms, policy)
        return f"Shown {found.shown} by a pin, until {until}; ranked {found.ranked}."
    if not found.by:
        return f"Shown {found.shown}: no single act clears it; ranked {found.ranked}."
    return f"Shown {found.shown}; cleared by " + " or ".join(_REMEDIES[one] for one in found.by) + "."


def _named(metric: str, of: tuple[str, ...]) -> str:
    return f"{metric} ({', '.join(of)})" if of else metric


def _number(value: float) -> str:
    """Return a number with as many digits as a calculator needs."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"
