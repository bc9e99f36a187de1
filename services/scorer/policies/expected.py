"""What a value may be, in words for whoever wrote another."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from msgspec import Meta

from services.scorer.policies.writing import scalar


class Expected(NamedTuple):
    """What is expected of a value."""

    words: str
    words_known: tuple[str, ...] = ()  # of a closed list
    keeps_text: bool = False  # numbers are read from their text: decimals, and words that look like numbers


@cache
def expected(wanted: Any) -> Expected:
    """Return what a leaf of the policy may be."""
    origin = get_origin(wanted)
    if origin is Annotated:
        base, *metas = get_args(wanted)
        meta = next((one for one in metas if isinstance(one, Meta)), Meta())
        if base in {int, float}:
            return Expected(("a whole number" if base is int else "a number") + _bounds(meta))
        if meta.pattern is not None and meta.description:
            return Expected(meta.description)
        return expected(base)
    if origin is Literal:
        words = tuple(str(value) for value in get_args(wanted))
        return Expected(words[0] if len(words) == 1 else "one of " + ", ".join(words), words)
    if get_args(wanted):  # a union
        parts = [expected(part) for part in get_args(wanted) if part is not type(None)]
        return Expected(" or ".join(part.words for part in parts))
    plain = {
        bool: Expected("true or false"),
        int: Expected("a whole number"),
        float: Expected("a number"),
        Decimal: Expected("a number above 0, such as 1.08", keeps_text=True),
        str: Expected("a text, in quotes where it looks like a number"),
    }
    return plain.get(wanted, Expected("another value"))


def _bounds(meta: Meta) -> str:
    low = ""
    if meta.gt is not None:
        low = f" above {scalar(meta.gt)}"
    elif meta.ge is not None:
        low = f" from {scalar(meta.ge)}"
    if meta.lt is not None:
        return f"{low} and below {scalar(meta.lt)}"
    if meta.le is not None:
        return f"{low} to {scalar(meta.le)}" if meta.gt is None else f"{low}, at most {scalar(meta.le)}"
    return low
