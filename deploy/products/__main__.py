"""``python -m deploy.products``: follow the topic as a process of its own, by DATABASE_URL and KAFKA_BOOTSTRAP."""

from __future__ import annotations

import asyncio
import os

import structlog

from deploy.products.following import follow
from deploy.products.loading import Loaded

log = structlog.get_logger()


def _report(loaded: Loaded) -> None:
    log.info("products_loaded", version=loaded.version, products=loaded.products)


if __name__ == "__main__":
    try:
        asyncio.run(
            follow(os.environ["DATABASE_URL"], os.environ["KAFKA_BOOTSTRAP"], once=False, report=_report)
        )
    except KeyboardInterrupt:
        log.info("stopped")
