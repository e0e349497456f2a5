"""P values of many tests at once, adjusted for their number. NaN is no test: it stays NaN."""

from __future__ import annotations

import numpy as np

__all__ = ["false_discovery", "holm"]


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p values for the chance of any false one among them.

    Parameters
    ----------
    p_values : array of shape (...)
        NaN where nothing was tested: it does not count.

    Returns
    -------
    array of shape (...)
        Below alpha with probability alpha at most if nothing is there, whatever the dependence
        between tests.

    Notes
    -----
    Step-down method of Holm 1979, Scand J Stat 6, 65.
    """
    p = np.asarray(p_values, dtype=np.float64)
    tests = np.flatnonzero(np.isfinite(p))
    order = tests[np.argsort(p.flat[tests], kind="stable")]
    stepped = p.flat[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(p.shape, np.nan)
    adjusted.flat[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def false_discovery(p_values: np.ndarray) -> np.ndarray:
    """Adjust p values for the share of false ones among those called.

    Parameters
    ----------
    p_values : array of shape (...)
        NaN where nothing was tested: it does not count.

    Returns
    -------
    array of shape (...)
        Of those below alpha, a share of alpha at most is false on average, for tests that are
        independent or positively dependent.

    Raises
    ------
    ValueError
        If a value is not between 0 and 1.

    Notes
    -----
    Benjamini & Hochberg 1995, J R Stat Soc B 57, 289.
    """
    from scipy.stats import false_discovery_control  # takes a second to import

    p = np.asarray(p_values, dtype=np.float64)
    tested = np.isfinite(p)
    adjusted = np.full(p.shape, np.nan)
    adjusted[tested] = false_discovery_control(p[tested])
    return adjusted
