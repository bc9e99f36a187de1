"""``python -m schemas --write`` makes JSON Schemas and the diagram; ``--check`` says whether they lag."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from schemas.generate import lagging, missing_examples, write

ROOT = Path(__file__).parent


def main() -> int:
    """Return 0 when every file says what the code says, else 1 (with ``--check``)."""
    parser = argparse.ArgumentParser(prog="python -m schemas", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true", help="write what lags behind the code")
    what.add_argument("--check", action="store_true", help="name what lags behind the code; exit 1 if any")
    if parser.parse_args().write:
        for name in write(ROOT):
            print(f"wrote schemas/{name}")
        return 0
    late, unwritten = lagging(ROOT), missing_examples(ROOT)
    for name in late:
        print(f"schemas/{name} lags behind the code: run python -m schemas --write", file=sys.stderr)
    for name in unwritten:
        print(f"schemas/{name} is missing: write a realistic example by hand", file=sys.stderr)
    return 1 if late or unwritten else 0


if __name__ == "__main__":
    sys.exit(main())
