"""The API's metrics, in one place; labels are closed sets (route templates, never addresses)."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram


class ApiMetrics:
    """What ops watch of an API process. Tests pass their own registry."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        """Register every metric."""
        self.registry = registry
        self.requests = Counter(
            "api_requests_total",
            "Requests answered, by route template and status class.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "api_request_seconds",
            "From the request's head to the end of the answer; streams are left out.",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=registry,
        )
        self.stream_clients = Gauge("api_stream_clients", "Open event streams.", registry=registry)
        self.stream_events = Counter(
            "api_stream_events_total", "Feed rows handed to streams, before filtering.", registry=registry
        )
        self.stream_closed = Counter(
            "api_stream_closed_total",
            "Streams that the API closed, by reason.",
            ["reason"],
            registry=registry,
        )
        self.stale_leases = Counter(
            "api_stale_leases_total", "Changes refused because the lease was not in force.", registry=registry
        )
