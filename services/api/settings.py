"""Settings of the API, read once at start."""

from __future__ import annotations

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ApiSettings(BaseSettings):
    """Environment variables of the API; ``API_`` is the prefix but for the shared ones."""

    model_config = SettingsConfigDict(env_prefix="API_", frozen=True, populate_by_name=True)

    database_url: str = Field(default="postgresql://127.0.0.1/tierstream", validation_alias="DATABASE_URL")
    environment: str = Field(
        default="dev", validation_alias="TIERSTREAM_ENV", description="prod refuses the development issuer"
    )
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535, description="0: any free port")
    allowed_hosts: tuple[str, ...] = Field(
        default=("127.0.0.1", "localhost", "[::1]"),
        description="Host headers that are answered, without port; others are refused (DNS rebinding)",
    )
    secure_cookie: bool = Field(default=False, description="on wherever the desk is served by TLS")

    dev_issuer: bool = Field(default=False, description="people sign in by choosing their name: demos only")
    issuer: str = "https://tierstream.invalid/dev"
    audience: str = "tierstream"
    verify_key_pem: SecretStr | None = Field(
        default=None, description="Ed25519 public key of the company's token issuer, PEM"
    )

    lease_minutes: int = Field(
        default=15, ge=1, le=240, description="how long a claimed task stays one's own"
    )
    token_minutes: int = Field(default=60, ge=1, le=60)

    body_bytes_max: int = Field(default=64 * 1024, ge=1024, le=1024 * 1024)
    connections_max: int = Field(default=10, ge=2, le=90, description="to PostgreSQL")
    statement_seconds_max: int = Field(default=5, ge=1, le=60)
    overview_seconds: float = Field(
        default=0.5, ge=0.1, le=60, description="age at which an overview is renewed"
    )

    stream_polls_per_second: float = Field(default=5.0, ge=0.5, le=20)
    stream_clients_max: int = Field(default=2000, ge=1, le=20000)
    stream_clients_per_person_max: int = Field(default=12, ge=1, le=100)
    stream_queue_events_max: int = Field(default=256, ge=8, le=4096, description="a slower client is closed")
    stream_heartbeat_seconds: float = Field(default=15.0, ge=0.05, le=60)
    stream_recheck_seconds: float = Field(
        default=30.0, ge=0.05, le=60, description="rights of an open stream"
    )

    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token for /metrics; without one only this machine may read it"
    )
    shutdown_seconds: int = Field(default=10, ge=1, le=60)

    @model_validator(mode="after")
    def _no_dev_issuer_in_production(self) -> Self:
        if self.dev_issuer and self.environment == "prod":
            raise ValueError(
                "API_DEV_ISSUER lets anybody sign in as anybody, so it is refused when TIERSTREAM_ENV=prod; "
                "unset it and give API_VERIFY_KEY_PEM"
            )
        return self
