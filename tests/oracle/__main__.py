"""``python -m tests.oracle FILE.. --policy JSON --export DIR``."""

import argparse
import json
import sys
from pathlib import Path

from tests.oracle.events import read_events
from tests.oracle.export import export
from tests.oracle.products import read_products
from tests.oracle.replay import replay


def show(done: int, total: int) -> None:
    """Keep one line on a terminal up to date; say nothing elsewhere."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done:,} of {total:,} events", end=end, file=sys.stderr, flush=True)


def main() -> None:
    """Replay the files and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="events, JSON Lines in wire form")
    parser.add_argument("--policy", type=Path, help="a policy as JSON (the default one)")
    parser.add_argument("--currency", default="USD", help="base currency, ISO 4217 (USD)")
    parser.add_argument("--time-zone", default="UTC", help="the policy's IANA time zone (UTC)")
    parser.add_argument("--export", required=True, type=Path, metavar="DIR", help="where the CSV files go")
    chosen = parser.parse_args()
    outcome = replay(
        read_events(chosen.files),
        policy=None if chosen.policy is None else json.loads(chosen.policy.read_text(encoding="utf-8")),
        currency=chosen.currency,
        time_zone=chosen.time_zone,
        products=read_products(chosen.files),
        progress=show,
    )
    export(outcome, chosen.export)
    warnings = sum(len(one.warnings.episodes) for one in outcome.customers)
    print(
        f"{len(outcome.customers):,} customers, {len(outcome.cut_rows):,} cut-offs, "
        f"{len(outcome.changes):,} tier changes, {warnings:,} warnings, "
        f"{len(outcome.dead_letters):,} dead letters in {chosen.export}"
    )


if __name__ == "__main__":
    main()
