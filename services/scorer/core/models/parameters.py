"""What was fitted once for all customers: the parameters of the purchase and of the spend model."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Kind = Literal["mbg_nbd", "bg_nbd"]
Unit = Literal["day", "week"]
# A fit that runs beyond these has told nothing; inside them every formula here stays finite.
Parameter = Annotated[float, Meta(gt=0, le=1e6)]
DAYS_PER_UNIT: Final[dict[Unit, int]] = {"day": 1, "week": 7}
DROPOUT_SHARE_MIN: Final = 0.005
"""Below it P(alive) stays at 1 for everybody. Source: the fits of Complete Journey (.0007) and Online Retail,
against CDNOW's .25 (BG/NBD) to .40 (MBG/NBD)."""


class PurchaseModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """When customers buy again: a Poisson rate drawn from Gamma(r, alpha), a dropout chance from Beta(a, b).

    ``mbg_nbd`` lets a customer drop out after every purchase, the first one too; ``bg_nbd`` only after
    repeat purchases, so a one-time buyer is alive for ever.

    Source: Fader, Hardie, Lee (2005), Marketing Science 24(2), 275-284 (BG/NBD); Batislam, Denizel,
    Filiztekin (2007), International Journal of Research in Marketing 24(3), 201-209 (MBG/NBD).
    """

    kind: Kind = "mbg_nbd"
    unit: Unit = "day"  # of alpha, and of every age and horizon that goes with this model
    r: Parameter
    alpha: Parameter  # in units
    a: Parameter
    b: Parameter

    @property
    def dropout_share(self) -> float:
        """Mean chance to drop out at a purchase, a / (a + b)."""
        return self.a / (self.a + self.b)

    @property
    def degenerate(self) -> bool:
        """Whether hardly anybody ever drops out, so that P(alive) tells nothing."""
        return self.dropout_share < DROPOUT_SHARE_MIN

    @property
    def days_per_unit(self) -> int:
        """Days in the unit of ages and horizons."""
        return DAYS_PER_UNIT[self.unit]


class SpendModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What customers spend on a purchase day: Gamma(p, v) around a mean of their own, v from Gamma(q, gamma).

    Source: Fader, Hardie (2013), "The Gamma-Gamma model of monetary value", brucehardie.com/notes/025.
    """

    p: Parameter
    q: Annotated[float, Meta(gt=1, le=1e6)]  # up to 1 the population has no mean
    gamma_minor: Annotated[float, Meta(gt=0, le=1e12)]
    mean_minor: Annotated[int, Meta(ge=1, le=10**12)]  # observed; stands in where a customer has no mean


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A policy's section ``model``."""

    purchases: PurchaseModel
    spend: SpendModel | None = None
