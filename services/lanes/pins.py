"""Refuses to start on a Faust or aiokafka whose inside differs from the one that the driver was written for."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any, Final

from aiokafka.consumer.fetcher import Fetcher, FetchResult
from faust.transport.drivers import aiokafka as driver

VERSIONS: Final = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}
# What is overridden or called inside, with the parameters that are relied on.
SIGNATURES: Final[tuple[tuple[Any, str, tuple[str, ...]], ...]] = (
    (driver.Consumer, "perform_seek", ("self",)),
    (driver.Consumer, "commit", ("self", "topics", "start_new_transaction")),
    (driver.Consumer, "_drain_messages", ("self", "fetcher")),
    (driver.Consumer, "_new_consumer_thread", ("self",)),
    (driver.AIOKafkaConsumerThread, "_create_worker_consumer", ("self", "transport")),
    (driver.AIOKafkaConsumerThread, "on_thread_stop", ("self",)),
    (FetchResult, "getall", ("self", "max_records")),
    (Fetcher, "_create_fetch_waiter", ("self",)),
)


def check() -> None:
    """Compare what is installed with what the driver needs.

    Raises:
        RuntimeError: naming the first difference; install the versions of the lock file.
    """
    for package, wanted in VERSIONS.items():
        if version(package) != wanted:
            raise RuntimeError(
                f"{package} {version(package)} is installed, the lane driver needs {wanted}: "
                "install from requirements.lock"
            )
    for owner, name, parameters in SIGNATURES:
        found = tuple(inspect.signature(getattr(owner, name)).parameters)
        if found != parameters:
            raise RuntimeError(
                f"{owner.__name__}.{name}{found} is not the {parameters} that the driver overrides"
            )
