"""The catalogue of the desk's texts, one file per language; templates and scripts read the same keys."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

LANGUAGES = ("en",)


@cache
def texts_of(language: str) -> dict[str, str]:
    """Return the texts of a language by key; ``{name}`` stands for a value.

    Raises:
        ValueError: a language without a catalogue.
    """
    if language not in LANGUAGES:
        raise ValueError(
            f"there are no texts in {language!r}; add {language}.json beside en.json, with its keys"
        )
    catalogue: dict[str, str] = json.loads(files(__name__).joinpath(f"{language}.json").read_bytes())
    return catalogue
