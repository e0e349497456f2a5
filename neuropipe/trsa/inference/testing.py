"""Tests of an estimate with a known variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit

__all__ = ["TTest", "t_test"]

_NOTHING = 1e-12  # estimates and standard errors of comparisons below this are rounding


@dataclass(frozen=True, eq=False)
class TTest:
    """Estimates beside their errors; all arrays have one shape.

    Parameters
    ----------
    value, standard_error, p_value, low, high : arrays of shape (...)
        p of no effect; ends of the 95 % interval.
    df : float
        Degrees of freedom.
    """

    value: np.ndarray
    standard_error: np.ndarray
    p_value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    df: float


def t_test(
    value: np.ndarray,
    variance: np.ndarray,
    df: float,
    *,
    alternative: Literal["two-sided", "greater"] = "two-sided",
    confidence: float = 0.95,
) -> TTest:
    """Test estimates against 0.

    Parameters
    ----------
    value, variance : arrays of shape (...)
        The estimates, and the variances of their sampling distributions.
    df : float
    alternative : {"two-sided", "greater"}
    confidence : float

    Returns
    -------
    TTest
        Without any variance p is 1 for an estimate of 0, and 0 for any other.
    """
    estimate = np.asarray(value, dtype=np.float64)
    error = np.sqrt(np.maximum(variance, 0.0))
    exact = error < _NOTHING
    certain = np.where(np.abs(estimate) < _NOTHING, 0.0, np.copysign(np.inf, estimate))
    t = np.where(exact, certain, estimate / np.where(exact, 1.0, error))
    if alternative == "greater":
        p = stdtr(df, -t)
        p = np.where(exact & (t == 0), 1.0, p)
    else:
        p = 2 * stdtr(df, -np.abs(t))
    reach = stdtrit(df, 0.5 + confidence / 2) * error
    return TTest(estimate, error, np.minimum(p, 1.0), estimate - reach, estimate + reach, df)
