"""A scorer with a planted bug, as a process: ``python -m tests.integration.planted_scorer``.

The core raises for every event whose id ends in ``-bug``. Only this process is patched.
"""

from __future__ import annotations

from typing import Any

from services.scorer import chunk
from services.scorer.core import advance as core
from services.scorer.core.draft import Step


def advance_with_bug(state: Any, event: Any, moment: Any, policy: Any) -> Step:
    """Apply an event, or fail as a bug of the core would."""
    if event.event_id.endswith("-bug"):
        raise ZeroDivisionError(event.customer_id)
    return core.advance(state, event, moment, policy)


def main() -> None:
    """Patch this process, then be the worker."""
    chunk.advance = advance_with_bug  # type: ignore[attr-defined]  # imported there, not exported
    from services.scorer.main import main as work  # noqa: PLC0415 -- after the patch

    work()


if __name__ == "__main__":
    main()
