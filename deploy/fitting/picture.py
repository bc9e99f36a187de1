"""The calibration as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from deploy.fitting.calibration import Bucket

_ACTUAL: Final = "#1f2937"
_EXPECTED: Final = "#d97706"


def draw(path: Path, buckets: Sequence[Bucket], *, title: str, held_out_days: int) -> None:
    """Write a PNG: purchase days in the hold-out, and who bought on none, by earlier repeat purchase days.

    Without pyplot, so no display is needed and nothing global is left behind.
    """
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    labels = [f"{bucket.label}\nn={bucket.customers:,}" for bucket in buckets]
    panels = (
        (
            f"purchase days a customer in {held_out_days} days",
            [b.actual for b in buckets],
            [b.expected for b in buckets],
        ),
        (
            f"share without a purchase in {held_out_days} days",
            [b.actual_without for b in buckets],
            [b.expected_without for b in buckets],
        ),
    )
    for number, (what, actual, expected) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, 2, number)
        places = list(range(len(labels)))
        axes.plot(places, actual, "o-", color=_ACTUAL, label="actual")
        axes.plot(places, expected, "s--", color=_EXPECTED, label="expected")
        axes.set_xticks(places, labels, fontsize=6.5)
        axes.set_xlabel("repeat purchase days before")
        axes.set_title(what, fontsize=10)
        if number == 1:
            axes.set_yscale("symlog", linthresh=1)  # the few who come weekly must not flatten the many
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png", dpi=130)
