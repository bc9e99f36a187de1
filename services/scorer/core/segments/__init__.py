"""Segments, stages, bands and tags: views of a state. Nothing here moves a score, a tier or a warning.

One file each. ``segments_of`` collects them for the customer page; ``keys`` gives the names alone, by which
one tells whether anything changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from services.scorer.core.segments.attributes import Attributes, attributes
from services.scorer.core.segments.finding import Finding
from services.scorer.core.segments.groups import eight_way, four_way
from services.scorer.core.segments.loyalty import loyalty, satisfaction
from services.scorer.core.segments.relationship import relationship
from services.scorer.core.segments.repurchase import repurchase, repurchase_predicted
from services.scorer.core.segments.rfm import RfmCuts, RfmFacts, RfmPoints, rfm_facts, rfm_points
from services.scorer.core.segments.rfm_counts import RfmCounts
from services.scorer.core.segments.sales_status import sales_status
from services.scorer.core.segments.stage import stage
from services.scorer.core.segments.tags import Tag, tags
from services.scorer.core.segments.value_matrix import value_matrix

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

__all__ = [
    "Attributes",
    "Crowd",
    "Finding",
    "RfmCounts",
    "RfmCuts",
    "RfmFacts",
    "RfmPoints",
    "Segments",
    "Tag",
    "keys",
    "rfm_facts",
    "rfm_points",
    "segments_of",
]


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """What the views need to know of everybody else; None where nobody knows it yet."""

    rfm: RfmCuts | None = None
    tier_customers: int | None = None  # how many share the customer's tier


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """All views of one customer at his own clock; None where a view says nothing about him."""

    rfm: RfmPoints | None
    eight_way: Finding | None
    four_way: Finding | None
    value: Finding | None
    stage: Finding
    sales_status: Finding
    repurchase: Finding | None
    repurchase_predicted: Finding | None
    satisfaction: Finding | None
    loyalty: Finding
    relationship: Finding | None
    attributes: Attributes
    tags: tuple[Tag, ...]


def segments_of(state: State, policy: Policy, crowd: Crowd) -> Segments:
    """Return every view of the customer as he stands at ``state.settled_ms``.

    For the present, let time pass (``advance.settle``) first.
    """
    points = rfm_points(state, policy, crowd.rfm)
    return Segments(
        rfm=points,
        eight_way=None if points is None else eight_way(points, policy),
        four_way=None if points is None else four_way(points, policy),
        value=value_matrix(state, policy, crowd.rfm),
        stage=stage(state, policy),
        sales_status=sales_status(state, policy),
        repurchase=repurchase(state, policy),
        repurchase_predicted=repurchase_predicted(state, policy),
        satisfaction=satisfaction(state, policy),
        loyalty=loyalty(state, policy),
        relationship=relationship(state, policy, crowd.tier_customers),
        attributes=attributes(state, policy),
        tags=tags(state, policy),
    )


def keys(segments: Segments) -> dict[str, str]:
    """Return the stable name of every view, ``""`` where it says nothing: what a change event compares."""
    points = segments.rfm
    found = {"rfm": "" if points is None else f"{points.r}{points.f}{points.m}"}
    for name in segments.__struct_fields__:
        value = getattr(segments, name)
        if name not in {"rfm", "attributes", "tags"}:
            found[name] = "" if value is None else value.name
    for name in segments.attributes.__struct_fields__:
        if name != "evidence":
            found[name] = getattr(segments.attributes, name) or ""
    found["tags"] = ", ".join(sorted(f"{tag.kind}:{tag.subject}" for tag in segments.tags))
    return found
