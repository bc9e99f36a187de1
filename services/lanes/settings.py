"""Settings of a lane worker, read once at start."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """Environment variables of a worker; ``LANES_`` is the prefix but for the two shared addresses."""

    model_config = SettingsConfigDict(env_prefix="LANES_", frozen=True)

    kafka_bootstrap: str = Field(default="127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP")
    database_url: str = Field(default="postgresql://127.0.0.1/tierstream", validation_alias="DATABASE_URL")
    count: int = Field(default=24, ge=1, le=1024, description="partitions of every input topic, for life")
    slot: str = Field(
        default="0",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="unique and stable per worker (StatefulSet name)",
    )
    clock: Literal["wall", "event"] = Field(
        default="wall", description="time of lanes that were never used; event: they begin with a replay"
    )
    http_port: int = Field(default=0, ge=0, le=65535, description="/livez /readyz /metrics; 0: any free port")
    http_host: str = "127.0.0.1"
    chunk_records_max: int = Field(default=2000, ge=1, le=20000)
    queue_records_max: int = Field(
        default=4000, ge=1, description="per topic-partition, before fetching pauses"
    )
    outbox_messages_max: int = Field(
        default=20000, ge=1, description="per lane, before the lane waits for Kafka"
    )
    session_seconds: float = Field(default=6.0, ge=6.0, le=60.0, description="6 is the least a broker allows")
    throttle_records_per_second: float = Field(
        default=0.0, ge=0.0, description="per lane; 0: none. For failure tests that must outlast their chaos"
    )
