"""The scorer's composition root: ``python -m services.scorer.main`` is one worker."""

from __future__ import annotations

from services.lanes.marks import marker_of
from services.lanes.settings import WorkerSettings
from services.lanes.worker import run
from services.scorer.service import ScorerService


def main() -> None:
    """Run one worker until it is told to stop."""
    run(ScorerService(), WorkerSettings(), marker_of)


if __name__ == "__main__":
    main()
