"""Files of products: JSON Lines in the wire form, or CSV with a header; every line is checked first."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from deploy.history import PROBLEMS_SHOWN, MalformedError
from deploy.products.checks import check
from schemas.events import ProductListed, type_of
from schemas.times import to_ms
from schemas.wire import Reason, Refused, decode_input

NUMBERS: Final = {"margin_percent": float, "price_minor": int}
COLUMNS: Final = tuple(ProductListed.__struct_fields__)
NEEDED: Final = ("sku", "brand", "category", "grade")
_REMEDY: Final = "nothing was loaded"


def read_products(paths: Sequence[Path], *, now: datetime) -> list[ProductListed]:
    """Return every listing of some files.

    Args:
        paths: ``*.csv`` is CSV, everything else JSON Lines.
        now: the wall clock; a CSV line without ``occurred_at`` is dated so.

    Raises:
        MalformedError: lines are no listings; it names file, line and remedy.
        OSError: a file can't be read.
    """
    found: list[ProductListed] = []
    problems: list[str] = []
    for path in paths:
        for number, value in _csv(path, now) if path.suffix.lower() == ".csv" else _lines(path):
            try:
                found.append(_listed(value, to_ms(now)))
            except Refused as refused:
                problems.append(f"{path}:{number}: {refused}")
                if len(problems) >= PROBLEMS_SHOWN:
                    raise MalformedError(_message(problems)) from None
    if problems:
        raise MalformedError(_message(problems))
    if not found:
        raise MalformedError("no products in " + ", ".join(map(str, paths)) + "; give a file with one a line")
    return found


def _listed(value: bytes, wall_ms: int) -> ProductListed:
    event = decode_input(value)
    if not isinstance(event, ProductListed):
        raise Refused(Reason.VERSION, f"it is a {type_of(type(event))}, not a {type_of(ProductListed)}")
    check(event, wall_ms=wall_ms)
    return event


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def _csv(path: Path, now: datetime) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(path, reader.fieldnames or ())
            for row in reader:
                if None in row or None in row.values():
                    raise MalformedError(
                        f"{path}:{reader.line_num}: the line has not as many columns as the header; {_REMEDY}"
                    )
                yield reader.line_num, json.dumps(_event(row, now)).encode()
    except (csv.Error, UnicodeDecodeError) as error:
        raise MalformedError(f"{path}: {error}; give CSV in UTF-8; {_REMEDY}") from None


def _check_header(path: Path, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in COLUMNS]
    missing = [name for name in NEEDED if name not in names]
    if not (unknown or missing):
        return
    wrong = [f"there is no column {name}" for name in unknown] + [f"{name} is missing" for name in missing]
    raise MalformedError(
        f"{path}:1: {'; '.join(wrong)}; name the columns in the first line, any of {', '.join(COLUMNS)}; {_REMEDY}"
    )


def _event(row: dict[str, str], now: datetime) -> dict[str, Any]:
    """Return a line of CSV as an event; an empty cell is a field that is not given."""
    given = {name: _value(name, text) for name, text in row.items() if text.strip()}
    told = "\x1f".join(f"{name}={text}" for name, text in sorted(row.items()))
    own = {
        "type": type_of(ProductListed),
        "event_id": "csv:" + blake2b(told.encode(), digest_size=12).hexdigest(),
        "occurred_at": now.isoformat(timespec="milliseconds"),
    }
    return own | given


def _value(name: str, text: str) -> str | float | int:
    try:
        return NUMBERS[name](text) if name in NUMBERS else text.strip()
    except ValueError:
        return text  # the check of the event says what is wrong with it


def _message(problems: list[str]) -> str:
    return "\n".join([f"these lines are no products; {_REMEDY}", *problems])
