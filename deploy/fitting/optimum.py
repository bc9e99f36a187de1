"""Finds the largest likelihood over positive parameters, and how sharply it is known."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from math import log
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.fitting.sample import Floats

_optimize: Any = import_module("scipy.optimize")  # by name, because scipy ships no types
SMALLEST: Final = 1e-6
LARGEST: Final = 1e6
_AT_BOUND: Final = 0.01  # in logs: no data tell 0.9 % from a bound that is there for safety
_DIFFERENCE: Final = 1e-4  # in logs, for the second derivative


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best parameters found, on their own scale, with the standard error of each."""

    values: tuple[float, ...]
    standard_errors: tuple[float, ...] | None  # None where the likelihood has no peak
    log_likelihood: float
    ran_off: tuple[int, ...]  # which parameters stand at a bound


def maximize(
    function: Callable[[Floats], tuple[float, Floats]],
    starts: Sequence[Sequence[float]],
    *,
    weight: float,
    largest: Sequence[float] | None = None,
) -> Optimum:
    """Return the best optimum from all ``starts``.

    L-BFGS on the logarithms: positive without constraints, and of comparable size. Several starts, since
    the likelihood is flat far from its peak.

    Args:
        function: log-likelihood and gradient at the logarithms of the parameters.
        starts: parameters on their own scale.
        weight: how many customers the likelihood is of; tolerances are per customer.
        largest: upper bounds; ``LARGEST`` each by default.
    """
    tops = largest or [LARGEST] * len(starts[0])
    bounds = [(log(SMALLEST), log(top)) for top in tops]

    def loss(logs: Floats) -> tuple[float, Floats]:
        value, gradient = function(logs)
        return -value / weight, -gradient / weight

    results = [
        _optimize.minimize(
            loss, np.log(start), jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 2_000, "ftol": 1e-15, "gtol": 1e-9},
        )
        for start in starts
    ]  # fmt: skip
    logs = min(results, key=lambda result: float(result.fun)).x
    ran_off = tuple(
        index
        for index, (low, high) in enumerate(bounds)
        if logs[index] < low + _AT_BOUND or logs[index] > high - _AT_BOUND
    )
    values = np.exp(logs)
    errors = None if ran_off else _errors(function, logs)
    return Optimum(
        tuple(map(float, values)),
        None if errors is None else tuple(map(float, errors * values)),
        function(logs)[0],
        ran_off,
    )


def _errors(function: Callable[[Floats], tuple[float, Floats]], logs: Floats) -> Floats | None:
    """Return the standard errors of the logarithms, from the observed information; None without a peak.

    An error of a logarithm times the value is the value's error (delta method).
    """
    columns = []
    for index in range(len(logs)):
        shift = np.zeros(len(logs))
        shift[index] = _DIFFERENCE
        columns.append((function(logs + shift)[1] - function(logs - shift)[1]) / (2 * _DIFFERENCE))
    information = -np.array(columns)
    information = (information + information.T) / 2
    try:
        np.linalg.cholesky(information)  # raises unless it is a peak in every direction
        variances = np.diag(np.linalg.inv(information))
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.sqrt(variances), dtype=np.float64)
