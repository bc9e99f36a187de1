"""Why a tier changed, told so that one can follow it with a calculator. Nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import Field
from sqlalchemy import exists, select

from schemas.events import Proof, TierChanged, type_of
from schemas.tables import customers, tier_changes
from schemas.tiers import Cause
from schemas.times import from_ms
from services.api.customers import visible
from services.api.problems import not_found
from services.api.task_views import View
from services.scorer.core.explain import flaws
from services.scorer.core.identity import output_id
from services.scorer.core.story import story

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from services.api.access import Principal
    from services.api.customers import Customers
    from services.scorer.core.policy import Policy


class StoryView(View):
    """How one tier change came."""

    customer_id: str
    revision: int
    story: list[str] = Field(
        description="score, cut-offs, hysteresis, dwell and cause, in sentences with their arithmetic"
    )
    checks: bool = Field(description="whether the numbers of the proof lead to what was published")
    flaws: list[str] = Field(description="where they do not")


class Stories:
    """Tells published tier changes by the policy that they were decided under."""

    def __init__(self, engine: AsyncEngine, customer_pages: Customers) -> None:
        """``customer_pages`` keeps the policies."""
        self._engine = engine
        self._customers = customer_pages

    async def get(self, me: Principal, customer_id: str, revision: int) -> StoryView:
        """Return how a change came, and whether its proof agrees with itself.

        That the measured values are the customer's, only the log can show: ``tierstream explain``.

        Raises:
            Problem: 404, when there is no such change, or ``me`` has no task with the customer.
        """
        c = tier_changes.c
        seen = exists().where(customers.c.customer_id == customer_id, visible(me))
        query = select(tier_changes).where(c.customer_id == customer_id, c.revision == revision, seen)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise not_found("tier change")
            earlier = [await self._told(connection, one) for one in await _before(connection, row)]
            change = await self._told(connection, row)
            policy = await self._policy(connection, change.proof)
        found = flaws(change, earlier, policy)
        return StoryView(
            customer_id=customer_id,
            revision=revision,
            story=story(change, policy),
            checks=not found,
            flaws=found,
        )

    async def _policy(self, connection: AsyncConnection, proof: Proof) -> Policy:
        return await self._customers.of_version(connection, proof.policy_version)

    async def _told(self, connection: AsyncConnection, row: Any) -> TierChanged:
        """Return a row as the event that was published; id and level are derived as they were then."""
        proof = msgspec.json.decode(row.proof, type=Proof)
        levels = (await self._policy(connection, proof)).tiers.level_of
        return TierChanged(
            event_id=output_id(type_of(TierChanged), row.customer_id, row.revision),
            customer_id=row.customer_id,
            occurred_at=from_ms(row.at_ms),
            revision=row.revision,
            previous=row.previous,
            current=row.current,
            ranked_previous=row.ranked_previous,
            ranked_current=row.ranked_current,
            ranked_level=levels.get(row.ranked_current, -1),
            cause=Cause(row.cause),
            causation_id=row.causation_id,
            proof=proof,
        )


async def _before(connection: AsyncConnection, row: Any) -> list[Any]:
    """Return what the check needs of all changes before: the last one, and the last that moved the ranking."""
    c = tier_changes.c
    query = (
        select(tier_changes)
        .where(c.customer_id == row.customer_id, c.revision < row.revision)
        .order_by(c.revision.desc())
        .limit(1)
    )
    moved = query.where(c.ranked_current.is_distinct_from(c.ranked_previous))
    rows = [(await connection.execute(one)).one_or_none() for one in (moved, query)]
    by_revision = {one.revision: one for one in rows if one is not None}
    return [by_revision[revision] for revision in sorted(by_revision)]
