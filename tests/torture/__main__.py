"""``python -m tests.torture [--seed N] [--seconds-max 420] [--plant no-fence|publish-first]``.

Exit code 0: nothing lost, nothing double. 1: something was; the first customer concerned is shown, and logs
stay. 3: the run proves nothing, because the faults missed the work.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.torture import history as histories
from tests.torture import world
from tests.torture.compare import SHOWN_MAX, Verdict
from tests.torture.expect import in_background
from tests.torture.faults import FaultKind, schedule, share_inside, why_invalid
from tests.torture.planted import PLANTS

EXIT_WRONG: Final = 1
EXIT_INVALID: Final = 3
EXIT_ZOMBIE: Final = 70
PACE_SECONDS: Final = 130.0  # over which the history is published; the faults come on top
ORACLE_SECONDS_MAX: Final = 240.0


def main() -> int:
    """Run once and judge; return the exit code."""
    options = _options()
    folder = Path("out") / "torture" / f"seed-{options.seed}{'-' + options.plant if options.plant else ''}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size = histories.Size(options.seed, customers=options.customers)
    currency, zone = size.place
    count = histories.write(folder / "events.jsonl", size)
    oracle = in_background(folder / "events.jsonl", currency, zone)
    history = histories.load(folder / "events.jsonl", partitions=world.LANES, seed=options.seed)
    log = histories.expected_log(history, zone, wall_ms=int(time.time() * 1000))
    faults = schedule(options.seed)
    print(f"seed {options.seed}: {count:,} events and {log.events - count:,} bad records, {currency}, {zone}")
    print(f"{len(faults)} faults, logs in {folder / 'logs'}", flush=True)
    setup = world.Setup(
        *(options.seed, options.seconds_max, log.events / PACE_SECONDS, folder, currency, zone),
        plant=options.plant,
    )
    found = world.run(setup, world.Course(history, log, faults), lambda line: print(line, flush=True))
    verdict = world.judge(oracle.result(ORACLE_SECONDS_MAX), log, found)
    return _report(options.seed, log, found, verdict, folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of history and chaos (1)")
    parser.add_argument("--seconds-max", type=float, default=420.0, help="for replay and chaos (420)")
    parser.add_argument("--customers", type=int, default=7200, help="size of the history (7200)")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="plant a bug; the run must then fail")
    return parser.parse_args()


def _report(seed: int, log: histories.Log, found: world.Found, verdict: Verdict, folder: Path) -> int:
    struck = Counter(stroke.kind for stroke in found.end.strokes)
    kills = sum(count for kind, count in struck.items() if kind.is_kill)
    zombies = sum(count for (_, code), count in found.exits.items() if code == EXIT_ZOMBIE)
    parts = ", ".join(
        f"{struck[kind]} of {who}"
        for kind, who in (
            (FaultKind.KILL_SCORER, "scorers"),
            (FaultKind.KILL_ALERTER, "alerters"),
            (FaultKind.KILL_POSTGRES, "PostgreSQL"),
        )
    )
    line = (
        f"{log.events:,} events, {kills} kill -9: {verdict.lost:,} lost, {verdict.double:,} double "
        f"({parts}; {struck[FaultKind.FREEZE_SCORER]} freezes, {zombies} zombies ended, seed {seed}, "
        f"{found.end.seconds:.0f} s)"
    )
    exits = {f"{service} {code}": count for (service, code), count in sorted(found.exits.items())}
    print(f"exits by code: {exits}; {share_inside(found.end.strokes):.0%} of the faults inside 5-95 %")
    _save(folder, line, found, exits)
    if verdict.differences or found.end.stuck:
        _explain(found, verdict, folder)
        print(line)
        return EXIT_WRONG
    invalid = why_invalid(found.end.strokes)
    if invalid is not None:
        print(f"INVALID: {invalid}", file=sys.stderr)
        return EXIT_INVALID
    print(line)
    return 0


def _save(folder: Path, line: str, found: world.Found, exits: dict[str, int]) -> None:
    strokes = [
        {"kind": one.kind, "target": one.target, "share": round(one.share, 4), "at": round(one.at_seconds, 1)}
        for one in found.end.strokes
    ]
    (folder / "run.json").write_text(
        json.dumps({"line": line, "stuck": found.end.stuck, "exits": exits, "strokes": strokes}, indent=1)
        + "\n"
    )


def _explain(found: world.Found, verdict: Verdict, folder: Path) -> None:
    if found.end.stuck:
        print(f"STUCK: {found.end.stuck}")
    print(verdict.by_table())
    customer_id = verdict.first_customer()
    shown = [one for one in verdict.differences if one.customer_id == (customer_id or "")]
    for difference in (shown or verdict.differences)[:SHOWN_MAX]:
        print(f"  {difference}")
    if customer_id is None:
        return
    print(f"the events of {customer_id}:")
    with (folder / "events.jsonl").open(encoding="utf-8") as events:
        for event in events:
            if f'"{customer_id}"' in event:
                print(f"  {event.rstrip()}")


if __name__ == "__main__":
    sys.exit(main())
