"""``tierstream products``: load files, follow the topic."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.products.files import read_products
from deploy.products.following import follow
from deploy.products.loading import Loaded, load_into

products_app = typer.Typer(
    no_args_is_help=True, help="What products are: brand, category, grade and margin, by version."
)
console = Console(stderr=True)

DatabaseUrl = Annotated[str, typer.Option(envvar="DATABASE_URL")]
Bootstrap = Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP")]


@products_app.command()
def load(
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="product-listed.v1 as JSON Lines, or CSV"),
    ],
    database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream",
) -> None:
    """Load files of products as the next version; every line is checked first, and a repeat changes nothing.

    The lanes go over to it within seconds. Purchases that were taken up before keep what they earned.
    """
    listed = read_products(files, now=datetime.now(UTC))
    console.print(_words(asyncio.run(load_into(database_url, listed))))


@products_app.command("follow")
def follow_topic(
    *,
    once: Annotated[bool, typer.Option("--once", help="end where the topic ends now")] = False,
    kafka_bootstrap: Bootstrap = "127.0.0.1:9092",
    database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream",
) -> None:
    """Load what is published on the topic products, as it comes; what is no product becomes a dead letter."""
    refused = asyncio.run(
        follow(database_url, kafka_bootstrap, once=once, report=lambda done: console.print(_words(done)))
    )
    if refused:
        console.print(f"{refused:,} records are no products: look at the table dead_letters")


def _words(loaded: Loaded) -> str:
    if not loaded.products:
        return f"nothing new; version {loaded.version} of the products stays"
    return f"version {loaded.version} of the products: {loaded.products:,} new or changed"
