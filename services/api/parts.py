"""What a running API is made of; routes take it from their request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.api.customers import Customers
from services.api.desk_clock import DeskClock
from services.api.hub import Hub
from services.api.metrics import ApiMetrics
from services.api.outlooks import Outlooks
from services.api.overview import Overviews
from services.api.people import People
from services.api.stories import Stories
from services.api.tasks import Tasks

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from sqlalchemy.ext.asyncio import AsyncEngine
    from starlette.requests import HTTPConnection

    from services.api.settings import ApiSettings


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts, each made once."""

    settings: ApiSettings
    engine: AsyncEngine
    metrics: ApiMetrics
    people: People
    clock: DeskClock
    tasks: Tasks
    customers: Customers
    overviews: Overviews
    outlooks: Outlooks
    stories: Stories
    hub: Hub


def assemble(settings: ApiSettings, engine: AsyncEngine, registry: CollectorRegistry) -> Parts:
    """Make the parts; nothing connects or runs yet."""
    metrics = ApiMetrics(registry)
    people = People(engine)
    clock = DeskClock(engine)
    tasks = Tasks(engine, people, metrics, lease_minutes=settings.lease_minutes)
    customers = Customers(engine, people)
    overviews = Overviews(engine, clock, customers, seconds=settings.overview_seconds)
    outlooks = Outlooks(engine, customers, overviews)
    stories = Stories(engine, customers)
    hub = Hub(engine, tasks, overviews, settings, metrics)
    return Parts(
        settings, engine, metrics, people, clock, tasks, customers, overviews, outlooks, stories, hub
    )


def parts_of(connection: HTTPConnection) -> Parts:
    """Return the parts of the application that got the request."""
    parts: Parts = connection.app.state.parts
    return parts
