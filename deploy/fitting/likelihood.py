"""Log-likelihood of the purchase models over grouped customers, with its gradient.

In logs throughout, so that neither a customer with 300 purchases nor an age of ten years overflows.

Source: Fader, Hardie, Lee (2005), (6) in the form of brucehardie.com/notes/004 (BG/NBD); Batislam,
Denizel, Filiztekin (2007), Appendix A (3), with the erratum of Wagner, Hoppe (2008) (MBG/NBD).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from deploy.fitting.sample import Floats, Groups
    from services.scorer.core.models.parameters import Kind

_special: Any = import_module("scipy.special")  # by name, because scipy ships no types


def log_likelihood(logs: Floats, groups: Groups, kind: Kind) -> tuple[float, Floats]:
    """Return the log-likelihood at the logarithms of (r, alpha, a, b), and its gradient by them."""
    gammaln, psi = _special.gammaln, _special.digamma
    r, alpha, a, b = np.exp(logs)
    x, last_age, age, counts, _ = groups
    modified = kind == "mbg_nbd"
    chances = x + 1 if modified else x  # to drop out, that were not taken
    before = x if modified else np.maximum(x, 1) - 1  # survived before the last chance
    active, now, then = r + x, np.log(alpha + age), np.log(alpha + last_age)
    dropped = np.log(a / (b + before)) + active * (now - then)  # log odds against being alive
    if not modified:
        dropped = np.where(x > 0, dropped, -np.inf)  # who never came back can't have dropped out
    terms = (
        gammaln(active) - gammaln(r) + r * np.log(alpha) - active * now
        + gammaln(a + b) - gammaln(b) + gammaln(b + chances) - gammaln(a + b + chances)
        + np.logaddexp(0, dropped)
    )  # fmt: skip
    gone = _special.expit(dropped)
    both = psi(a + b) - psi(a + b + chances)
    by_parameter = (
        psi(active) - psi(r) + np.log(alpha) - now + gone * (now - then),
        r / alpha - active / (alpha + age)
        + gone * active * (1 / (alpha + age) - 1 / (alpha + last_age)),
        both + gone / a,
        both - psi(b) + psi(b + chances) - gone / (b + before),
    )  # fmt: skip
    gradient = np.array([np.dot(counts, one) for one in by_parameter]) * np.array([r, alpha, a, b])
    return float(np.dot(counts, terms)), gradient


def spend_log_likelihood(logs: Floats, repeat_days: Floats, mean: Floats) -> tuple[float, Floats]:
    """Return the Gamma-Gamma log-likelihood at the logarithms of (p, q, gamma), and its gradient by them.

    Source: Fader, Hardie (2013), brucehardie.com/notes/025, (1a).
    """
    gammaln, psi = _special.gammaln, _special.digamma
    p, q, gamma = np.exp(logs)
    shape, spent = p * repeat_days, repeat_days * mean
    log_all = np.log(gamma + spent)
    terms = (
        gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
        + (shape - 1) * np.log(mean) + shape * np.log(repeat_days) - (shape + q) * log_all
    )  # fmt: skip
    by_p = repeat_days * (psi(shape + q) - psi(shape) + np.log(spent) - log_all)
    by_q = psi(shape + q) - psi(q) + np.log(gamma) - log_all
    by_gamma = q / gamma - (shape + q) / (gamma + spent)
    gradient = np.array([by_p.sum() * p, by_q.sum() * q, by_gamma.sum() * gamma])
    return float(terms.sum()), gradient
