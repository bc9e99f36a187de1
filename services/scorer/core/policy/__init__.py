"""The policy: every number that the scorer decides by. Frozen; a file of YAML, and JSON in ``policies``."""

from services.scorer.core.policy.churn import (
    ChurnRules,
    CompetitorRule,
    DisengagedRule,
    FrequencyRule,
    ModelRule,
    SilenceRule,
)
from services.scorer.core.policy.fault import Fault
from services.scorer.core.policy.ladder import Ladder, Level
from services.scorer.core.policy.policy import Policy
from services.scorer.core.policy.scoring import Bonus, Weight

__all__ = [
    "Bonus",
    "ChurnRules",
    "CompetitorRule",
    "DisengagedRule",
    "Fault",
    "FrequencyRule",
    "Ladder",
    "Level",
    "ModelRule",
    "Policy",
    "SilenceRule",
    "Weight",
]
