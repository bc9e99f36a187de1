"""The engine's metrics, in one place; labels are closed sets."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram


class LaneMetrics:
    """What ops watch of a worker's lanes. Tests pass their own registry."""

    def __init__(self, service: str, registry: CollectorRegistry = REGISTRY) -> None:
        """Register every metric under the service's name."""
        self.records = Counter(
            f"{service}_records_total", "Records that counted, once each, committed.", registry=registry
        )
        self.turns = Counter(
            f"{service}_turns_total", "Committed lane transactions, by kind.", ["kind"], registry=registry
        )
        self.dead_letters = Counter(
            f"{service}_dead_letters_total", "Dead letters written, by reason.", ["reason"], registry=registry
        )
        self.put_off = Counter(
            f"{service}_put_off_total",
            "Customers that a bug kept from what time or the crowd asks for, by work; tried again later.",
            ["work"],
            registry=registry,
        )
        self.fenced = Counter(
            f"{service}_fenced_total", "Turns that the fence refused: another worker has the lane.",
            registry=registry,
        )  # fmt: skip
        self.seeks = Counter(
            f"{service}_seeks_back_total", "Times a lane sought back, by cause.", ["cause"], registry=registry
        )
        self.repeats = Counter(
            f"{service}_repeats_total", "Records dropped because their outbox number was known.",
            registry=registry,
        )  # fmt: skip
        self.database_errors = Counter(
            f"{service}_database_errors_total", "Turns whose outcome was unknown at first.", registry=registry
        )
        self.lanes = Gauge(f"{service}_lanes", "Lanes that this worker owns.", registry=registry)
        self.clock_lag_seconds = Gauge(
            f"{service}_clock_lag_seconds",
            "Wall clock minus the lane's clock: how late timers fire.",
            ["lane"],
            registry=registry,
        )
        self.lag_records = Gauge(
            f"{service}_lag_records",
            "Records in Kafka that a lane has not applied.",
            ["lane"],
            registry=registry,
        )
        self.outbox = Gauge(
            f"{service}_outbox_messages", "Committed messages that Kafka has not acknowledged.", ["lane"],
            registry=registry,
        )  # fmt: skip
        self.turn_seconds = Histogram(
            f"{service}_turn_seconds",
            "From the first read to the commit of a turn.",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
            registry=registry,
        )
