"""``python -m deploy.products``: follow the topic as a process of its own, by DATABASE_URL and KAFKA_BOOTSTRAP."""

from __future__ import annotations

import asyncio
import os
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from deploy.products.following import TopicMissingError, follow
from deploy.products.loading import Loaded
from services.lanes.database import DATABASE_ERRORS

RETRY_SECONDS: Final = 2.0
log = structlog.get_logger()


async def keep_following(database_url: str, bootstrap: str) -> None:
    """Follow until cancelled; whenever Kafka or PostgreSQL is away, say so and begin again."""
    while True:
        try:
            await follow(database_url, bootstrap, once=False, report=_report)
        except (KafkaError, TopicMissingError, *DATABASE_ERRORS) as error:
            log.warning("products_not_followed", error=repr(error), retry_seconds=RETRY_SECONDS)
            await asyncio.sleep(RETRY_SECONDS)


def _report(loaded: Loaded) -> None:
    log.info("products_loaded", version=loaded.version, products=loaded.products)


if __name__ == "__main__":
    try:
        asyncio.run(keep_following(os.environ["DATABASE_URL"], os.environ["KAFKA_BOOTSTRAP"]))
    except KeyboardInterrupt:
        log.info("stopped")
