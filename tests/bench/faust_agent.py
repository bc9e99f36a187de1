"""The peer: a plain Faust agent that keeps count and sum per customer in a table, one event at a time.

``python -m tests.bench.faust_agent``, with the broker in ``KAFKA_BOOTSTRAP`` and a file to report to in
``BENCH_REPORT``. It gets every setting that makes Faust quicker without changing what it is: no web
server, no leader topic, big polls, Cython, uvloop where there is one. Less is asked of it than of the
scorer: no strict decoding, no dead letters, no tiers, and a crash counts twice.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import faust
import mode.loop
import msgspec

from tests.bench.world import LANES


def build(bootstrap: str, report: Path) -> Any:
    """Return the app; once a second it writes ``time count`` of its table to ``report``."""
    app: Any = faust.App(
        "bench-plain-faust",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=str(report.parent / "plain-faust-data"),
        topic_partitions=LANES,
        topic_replication_factor=1,
        web_enabled=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=16_000,
        consumer_max_fetch_size=160_000,
        stream_buffer_maxsize=16_000,
        stream_wait_empty=False,
        producer_linger=0.005,
        producer_max_batch_size=262_144,
    )
    purchases = app.topic("purchases", value_serializer="raw", key_serializer="raw")
    table = app.Table("spend", default=lambda: {"orders": 0, "amount_minor": 0}, partitions=LANES)
    decode = msgspec.json.Decoder().decode

    async def count(stream: Any) -> None:
        """Add each purchase to its customer."""
        async for value in stream:
            event = decode(value)
            total = table[event["customer_id"]]
            total["orders"] += 1
            total["amount_minor"] += event["amount_minor"]
            table[event["customer_id"]] = total

    async def tell() -> None:
        """Report what the table holds."""
        counted = sum(total["orders"] for total in table.values())
        with report.open("a") as file:
            file.write(f"{time.monotonic()} {counted}\n")

    app.agent(purchases)(count)
    app.timer(1.0)(tell)
    return app


def main() -> None:
    """Run until stopped."""
    with suppress(ImportError):  # not on Windows
        mode.loop.use("uvloop")
    app = build(os.environ["KAFKA_BOOTSTRAP"], Path(os.environ["BENCH_REPORT"]))
    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False)
    sys.exit(worker.execute_from_commandline())


if __name__ == "__main__":
    main()
