"""The alerter's composition root: ``python -m services.alerter.main`` is one worker."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import msgspec

from services.alerter.core.wording import Wording
from services.alerter.work import AlerterService
from services.lanes.database import CONNECT_SECONDS_MAX
from services.lanes.marks import marker_of
from services.lanes.settings import WorkerSettings
from services.lanes.worker import run
from services.scorer.core.policy import Policy

_POLICY: Final = "SELECT body FROM policies ORDER BY version DESC LIMIT 1"


def main() -> None:
    """Run one worker until it is told to stop."""
    settings = WorkerSettings()
    policy = asyncio.run(_policy(settings.database_url))
    wording = Wording(currency_exponent=policy.exponent, time_zone=policy.zone)
    run(AlerterService(wording), settings, marker_of)


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
