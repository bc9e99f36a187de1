"""What is wrong with a policy, where, and what to do about it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

Days: TypeAlias = Annotated[int, Meta(ge=1, le=3_660)]
Percent: TypeAlias = Annotated[int, Meta(ge=0, le=100)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Positive: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000_000)]
# Inside these bounds sums, products and quotients of such numbers stay finite.
PositiveFloat: TypeAlias = Annotated[float, Meta(gt=0, le=1e12)]
Name: TypeAlias = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}\Z", description="1 to 40 of a-z 0-9 _, a letter first")
]


class Fault(ValueError):  # noqa: N818 -- the policy's fault, not an error of ours
    """A policy that contradicts itself.

    Attributes:
        what: the contradiction, in words.
        remedy: what to write instead.
        at: the keys and indexes that lead to it from the section that raised it.
    """

    def __init__(self, what: str, *, remedy: str, at: tuple[str | int, ...] = ()) -> None:
        """Say what is wrong and what to do."""
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy
        self.at = at
