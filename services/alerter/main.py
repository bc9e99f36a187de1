"""The alerter's composition root: ``python -m services.alerter.main`` is one worker."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import msgspec
import structlog

from services.alerter.core.wording import Wording
from services.alerter.work import AlerterService
from services.lanes.database import CONNECT_SECONDS_MAX, DATABASE_ERRORS
from services.lanes.marks import marker_of
from services.lanes.settings import WorkerSettings
from services.lanes.worker import run
from services.scorer.core.policy import Policy

_POLICY: Final = "SELECT body FROM policies ORDER BY version DESC LIMIT 1"

log = structlog.get_logger()


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = WorkerSettings()
    policy = asyncio.run(_policy_when_there(settings.database_url))
    wording = Wording(
        currency_exponent=policy.exponent, time_zone=policy.zone, window_days=policy.window_days
    )
    run(AlerterService(wording), settings, marker_of)


async def _policy_when_there(database_url: str) -> Policy:
    """Wait for PostgreSQL, for ever: it being away is no fault of this process."""
    pause = 0.1
    while True:
        try:
            return await _policy(database_url)
        except DATABASE_ERRORS as error:
            log.warning("policy_waits", error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 1.6)


async def _policy(database_url: str) -> Policy:
    """Return the newest policy: amounts and dates are written as it says."""
    connection = await asyncpg.connect(database_url, timeout=CONNECT_SECONDS_MAX)
    try:
        body = await connection.fetchval(_POLICY)
    finally:
        await connection.close()
    if body is None:
        raise RuntimeError("there is no policy: run tierstream migrate")
    return Policy.from_json(msgspec.json.decode(body))


if __name__ == "__main__":
    main()
