"""Tier names and causes, as they stand in events, tables and exports."""

from __future__ import annotations

from enum import StrEnum


class Tier(StrEnum):
    """A customer's tier. The ranked tier is one of the first three; the shown tier any of the four."""

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


class ChurnRule(StrEnum):
    """The churn rules in force."""

    EARLY_SILENCE = "early_silence"  # 90 days without purchase or response
    HIGH_VALUE_SILENCE = "high_value_silence"  # 180 days, for a customer ranked high value


class EpisodeEnd(StrEnum):
    """Why a churn episode is over."""

    PURCHASE = "purchase"
    RESPONSE = "response"
    RETRACTED = "retracted"  # a late fact showed that it never was
