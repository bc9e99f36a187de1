"""What a fit found: as JSON, as a table, and as the section of a policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.table import Table
from ruamel.yaml import YAML

from deploy.fitting.parameters import PARAMETERS, SPEND_PARAMETERS
from schemas.times import from_ms
from services.scorer.core.models.parameters import Model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.fitting.calibration import Bucket
    from deploy.fitting.parameters import PurchaseFit, SpendFit
    from deploy.fitting.sample import Sample
    from services.scorer.core.models.parameters import Kind, Unit
    from services.scorer.core.policy import Policy

FALLBACK: Final = (
    "not usable for warnings by P(alive): judge by recency (the silence rules) and by P(no purchase) instead"
)
NO_SPEND: Final = "no spend model, so no predicted value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one run found."""

    kind: Kind
    unit: Unit
    policy: Policy
    until: str | None  # as it was asked for
    sample: Sample
    purchases: PurchaseFit
    spend: SpendFit
    calibration: Sequence[Bucket]
    left_out: Mapping[str, int]
    bad_lines: Mapping[str, Any]  # of the files, as a backtest reports them

    @property
    def until_day(self) -> date:
        """Return the last local day of the calibration."""
        return from_ms(self.sample.until_ms).astimezone(self.policy.zone).date()

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object; ``parameters`` is null where nothing could be fitted."""
        fit, found = self.purchases, self.purchases.optimum
        return {
            "model": self.kind,
            "unit": self.unit,
            "until": self.until,
            "calibrated_through": self.until_day.isoformat(),
            "held_out_days": self.sample.held_out_days,
            "time_zone": self.policy.time_zone,
            "customers": len(self.sample.customers),
            "repeat_customers": self.sample.repeat_customers,
            "parameters": _by_name(PARAMETERS, found.values if found else None),
            "standard_errors": _by_name(PARAMETERS, found.standard_errors if found else None),
            "log_likelihood": found.log_likelihood if found else None,
            "dropout_share": fit.model.dropout_share if fit.model else None,
            "degenerate": fit.reason is not None,
            "reason": fit.reason,
            "usable_for_warnings": fit.reason is None,
            "spend": self._spend(),
            "calibration": [msgspec.to_builtins(bucket) for bucket in self.calibration],
            "policy": self.policy.name,
            "currency": self.policy.currency,
            "bad_lines": self.bad_lines,
            "left_out": {why: count for why, count in self.left_out.items() if count},
        }

    def policy_section(self) -> str:
        """Return the policy's section ``model`` as YAML. Only for a fit that ``is_storable``."""
        assert self.purchases.model is not None  # noqa: S101 -- is_storable
        model = Model(purchases=self.purchases.model, spend=self.spend.model)
        yaml, text = YAML(), StringIO()
        yaml.dump({"model": msgspec.to_builtins(model)}, text)
        found = f"fitted through {self.until_day} on {len(self.sample.customers):,} customers"
        head = f"# tierstream fit: {found}\n"
        if self.purchases.reason is not None:
            head += f"# {self.purchases.reason}; {FALLBACK}\n"
        if self.spend.reason is not None:
            head += f"# {NO_SPEND}: {self.spend.reason}\n"
        return head + text.getvalue()

    def tables(self) -> list[Table]:
        """Return what to print."""
        tables = [self._summary(), *self._parameters()]
        return [*tables, self._calibration()] if self.calibration else tables

    def verdict(self) -> str:
        """Return in a line for each model whether the fit may be used."""
        reason = self.purchases.reason
        said = "usable for warnings" if reason is None else f"{reason}; {FALLBACK}"
        return said if self.spend.reason is None else f"{said}\n{NO_SPEND}: {self.spend.reason}"

    def _summary(self) -> Table:
        fit, sample = self.purchases, self.sample
        rows = [
            ("model", f"{self.kind}, ages in {self.unit}s"),
            ("calibrated through", f"{self.until_day} ({self.policy.time_zone})"),
            ("held out after it", f"{sample.held_out_days:,} days" if sample.held_out_days else "nothing"),
            ("customers", f"{len(sample.customers):,}"),
            ("repeat buyers", f"{sample.repeat_customers:,}"),
            ("log-likelihood", "-" if fit.optimum is None else f"{fit.optimum.log_likelihood:,.1f}"),
            ("mean dropout a/(a+b)", "-" if fit.model is None else f"{fit.model.dropout_share:.4g}"),
            *((f"left out, {why}", f"{count:,}") for why, count in self.left_out.items() if count),
        ]
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column()
        table.add_column(justify="right")
        for row in rows:
            table.add_row(*row)
        return table

    def _parameters(self) -> list[Table]:
        tables = []
        if self.purchases.optimum is not None:
            optimum = self.purchases.optimum
            tables.append(_with_errors("purchases", PARAMETERS, optimum.values, optimum.standard_errors))
        if self.spend.optimum is not None:
            optimum = self.spend.optimum
            title = f"spend, in minor {self.policy.currency}"
            tables.append(_with_errors(title, SPEND_PARAMETERS, optimum.values, optimum.standard_errors))
        return tables

    def _calibration(self) -> Table:
        title = f"the {self.sample.held_out_days:,} days held out: what happened, what was expected"
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        heads = ("repeat days", "customers", "days", "expected", "none", "expected")
        for head in heads:
            table.add_column(head, justify="right")
        for bucket in self.calibration:
            table.add_row(
                bucket.label, f"{bucket.customers:,}", f"{bucket.actual:.3f}", f"{bucket.expected:.3f}",
                f"{bucket.actual_without:.1%}", f"{bucket.expected_without:.1%}",
            )  # fmt: skip
        return table

    def _spend(self) -> dict[str, Any] | None:
        fit, scale = self.spend, self.policy.minor_per_major
        if fit.optimum is None:
            return None
        p, q, gamma = fit.optimum.values
        errors = fit.optimum.standard_errors
        return {
            "p": p,
            "q": q,
            "gamma": gamma / scale,
            "standard_errors": _by_name(SPEND_PARAMETERS, errors and (*errors[:2], errors[2] / scale)),
            "mean": None if fit.model is None else fit.model.mean_minor / scale,
            "currency": self.policy.currency,
            "customers": fit.customers,
            "correlation": fit.correlation,
            "usable": fit.reason is None,
            "reason": fit.reason,
        }


def _by_name(names: tuple[str, ...], values: tuple[float, ...] | None) -> dict[str, float] | None:
    return None if values is None else dict(zip(names, values, strict=True))


def _with_errors(
    title: str, names: tuple[str, ...], values: tuple[float, ...], errors: tuple[float, ...] | None
) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in (title, "value", "standard error"):
        table.add_column(head, justify="right")
    for name, value, error in zip(names, values, errors or (None,) * len(names), strict=True):
        table.add_row(name, f"{value:.4g}", "-" if error is None else f"{error:.2g}")
    return table
