"""A pytest plugin for mutation runs: the laws with few examples, the same ones every time.

Thousands of mutants each run every law that reaches them. A law that needs hundreds of examples to see a
mutant leaves it alive here, which is the cautious side: it is reported, not hidden. What fails is not
shrunk, as nobody reads it.
"""

from __future__ import annotations

from functools import wraps
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings

EXAMPLES_MAX: Final = 12

settings.register_profile(
    "mutation",
    max_examples=EXAMPLES_MAX,
    derandomize=True,  # a mutant that survives by luck would come and go
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("mutation")

_plain: Final = settings.__init__


@wraps(_plain)
def _capped(self: settings, *arguments: Any, **chosen: Any) -> None:
    """Build settings that ask for no more examples than ``EXAMPLES_MAX``, whatever a law asks for."""
    if isinstance(chosen.get("max_examples"), int):
        chosen["max_examples"] = min(chosen["max_examples"], EXAMPLES_MAX)
    _plain(self, *arguments, **chosen)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give the item the name under which mutmut 3.7 asks for its id; pytest 9.2 has only the public one."""
    item._nodeid = item.nodeid  # type: ignore[attr-defined]


settings.__init__ = _capped  # type: ignore[method-assign]  # laws name their own number, which no profile lowers
