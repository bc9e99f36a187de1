"""Tier names and causes, as they stand in events, tables and exports."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

AT_RISK: Final = "at_risk"  # shown while a warning stands, whatever the levels are called
LAPSED: Final = "lapsed"  # shown: nothing bought in the window


class Tier(StrEnum):
    """The tiers of the default policy; other policies name their levels themselves.

    The ranked tier is one of the first three; the shown tier any of the four.
    """

    HIGH_VALUE = "high_value"
    REGULAR = "regular"
    AT_RISK = "at_risk"
    LAPSED = "lapsed"  # shown only: nothing bought in the window


class Cause(StrEnum):
    """What moved a tier."""

    EVENT = "event"  # the customer's own purchase, return or response
    TIME = "time"  # a purchase left the window, a dwell ended, a silence grew too long
    CROWD = "crowd"  # the cut-offs moved
    POLICY = "policy"  # another policy came into force


class ChurnKind(StrEnum):
    """What a churn rule looks at. A policy may have several rules of one kind, each with its own name."""

    SILENCE = "silence"
    FREQUENCY = "frequency"
    COMPETITOR = "competitor"
    MODEL = "model"
    DISENGAGED = "disengaged"


class WinBackReason(StrEnum):
    """Why a customer seems to turn away; advice follows it."""

    PRICE = "price"
    SERVICE = "service"
    COMPETITOR = "competitor"
    QUALITY = "quality"
    UNKNOWN = "unknown"


class EpisodeEnd(StrEnum):
    """Why a churn episode is over."""

    PURCHASE = "purchase"
    RESPONSE = "response"
    RESOLVED = "resolved"  # the complaint behind it was solved
    RETRACTED = "retracted"  # a late fact showed that it never was
