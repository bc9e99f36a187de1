"""A worker process: a Faust app whose agents get nothing, because the lanes take it all."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from faust.transport import drivers

from services.lanes import pins
from services.lanes.health import Health
from services.lanes.metrics import LaneMetrics
from services.lanes.owner import LaneOwner
from services.lanes.queues import Marker
from services.lanes.settings import WorkerSettings
from services.lanes.work import Record, Service

DRIVER: Final = "services.lanes.transport:Transport"
log = structlog.get_logger()


def build(
    service: Service, settings: WorkerSettings, marker_of: Callable[[Record], Marker | None]
) -> tuple[faust.App, Health]:
    """Return the Faust app of a service and its health server; nothing is started."""
    pins.check()
    drivers.TRANSPORTS.aliases["lanes"] = DRIVER
    metrics = LaneMetrics(service.name)
    owner = LaneOwner(service, settings, metrics, marker_of)
    app: Any = faust.App(
        f"tierstream-{service.name}",
        broker=f"lanes://{settings.kafka_bootstrap}",
        store="memory://",
        datadir=str(Path(tempfile.gettempdir()) / "tierstream-faust"),  # stays empty: there are no tables
        consumer_group_instance_id=f"{service.name}-{settings.slot}",
        topic_partitions=settings.count,
        # Off: a table browser on 0.0.0.0:6066, a leader topic, topics that make themselves.
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=settings.session_seconds,
        broker_heartbeat_interval=1.0,
        broker_rebalance_timeout=10.0,
        broker_request_timeout=20.0,
        broker_max_poll_interval=120.0,
        broker_commit_interval=1.0,
        # Big polls of many partitions: smaller ones return one partition at a time.
        broker_max_poll_records=16_000,
        consumer_max_fetch_size=160_000,
        stream_wait_empty=False,
        # Keeps Faust's co-partitioned assignor: round robin would split every lane.
        table_standby_replicas=1,
    )
    app.lane_owner = owner

    @app.agent(app.topic(*service.topics, value_serializer="raw", key_serializer="raw"))
    async def lanes(stream: Any) -> None:
        """Never gets anything; it only makes Faust subscribe."""
        async for _ in stream:
            raise RuntimeError("a record reached an agent instead of its lane")

    @app.on_partitions_revoked.connect
    async def revoked(*_arguments: Any, **_named: Any) -> None:
        await owner.give_up("revoked")

    health = Health(ready=lambda: bool(owner.lanes), refresh=lambda: _refresh(owner))
    return app, health


def run(service: Service, settings: WorkerSettings, marker_of: Callable[[Record], Marker | None]) -> None:
    """Run a worker until SIGTERM or SIGINT; returns when it stopped in good order."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    app, health = build(service, settings, marker_of)
    port = health.start(settings.http_host, settings.http_port)
    log.info("worker_starts", service=service.name, slot=settings.slot, http_port=port)

    async def beat() -> None:
        while True:
            health.beat()
            await asyncio.sleep(1.0)

    app.task(beat)
    gc.set_threshold(50_000, 20, 50)  # what a chunk makes is freed by reference counts
    gc.collect()
    gc.freeze()  # what was imported is never garbage: full collections need not walk it
    worker = faust.Worker(app, loglevel="WARNING", redirect_stdouts=False, override_logging=False)
    worker.spinner = None  # a log is no terminal
    worker.execute_from_commandline()


def _refresh(owner: LaneOwner) -> None:
    now_ms = time.time() * 1000
    for lane in list(owner.lanes.values()):
        label = str(lane.row.lane)
        owner.metrics.outbox.labels(label).set(lane.publisher.backlog)
        if lane.row.clock_mode == "wall":
            owner.metrics.clock_lag_seconds.labels(label).set(max(0.0, (now_ms - lane.row.clock_ms) / 1000))
        lag = 0
        for topic, name in enumerate(owner.service.topics):
            end = owner.consumer.end_of(name, lane.row.lane) if owner.consumer else None
            lag += max(0, (end or 0) - lane.row.offsets[topic])
        owner.metrics.lag_records.labels(label).set(lag)
