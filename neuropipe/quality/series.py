"""What the checks of all modalities ask of series: level, spread, drift, what they share.

All functions take arrays of shape (n_times, n_units) with NaN where a sample is missing; images of
a response matrix may stand for times.
"""

from __future__ import annotations

import warnings

import numpy as np


def global_signal(signals: np.ndarray) -> np.ndarray:
    """Mean over units of the z-scored series.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)

    Returns
    -------
    array of shape (n_times,)
        In sd of a unit; NaN where all units are missing.
    """
    return mean_over_units(zscored(signals))


def mean_over_units(values: np.ndarray) -> np.ndarray:
    """Mean over the units that are known, NaN in samples where none is.

    Parameters
    ----------
    values : array of shape (n_times, n_units)

    Returns
    -------
    array of shape (n_times,)
    """
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=1) / known.sum(axis=1)
    return np.asarray(mean)


def zscored(signals: np.ndarray) -> np.ndarray:
    """Bring every unit to mean 0 and variance 1; constant units become NaN."""
    mean, sd = mean_sd(signals)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sd > 0, (signals - mean) / sd, np.nan)


def line_share(values: np.ndarray) -> np.ndarray:
    """Share of the variance that a straight line in time explains.

    Parameters
    ----------
    values : array of shape (n_times, ...)
        Uniformly sampled series; NaN is missing.

    Returns
    -------
    array of shape (...)
        In [0, 1]; NaN for constant series.
    """
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    time = np.arange(len(values), dtype=np.float64).reshape(-1, *[1] * (values.ndim - 1))
    t = np.where(known, time - (time * known).sum(axis=0) / count, 0.0)
    filled = np.where(known, values, 0.0)
    x = np.where(known, values - filled.sum(axis=0) / count, 0.0)
    scale = (t**2).sum(axis=0) * (x**2).sum(axis=0)
    # Rounding leaves a constant series with a variance of about eps^2 times its square.
    tiny = scale <= 1e-12 * (t**2).sum(axis=0) * (filled**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(tiny, np.nan, (t * x).sum(axis=0) ** 2 / scale))


def constant_units(signals: np.ndarray) -> np.ndarray:
    """Tell which units have samples but never vary.

    Returns
    -------
    array of bool of shape (n_units,)
    """
    known = np.isfinite(signals)
    high = np.where(known, signals, -np.inf).max(axis=0)
    low = np.where(known, signals, np.inf).min(axis=0)
    return np.asarray(known.any(axis=0) & (high == low))


def mean_sd(signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every unit over time, in float64.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)

    Returns
    -------
    mean, sd : arrays of shape (n_units,)
        In the unit of the series; exact zeros in `sd` for constant units and those without any
        sample, whose mean is NaN.
    """
    known = np.isfinite(signals)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, signals, 0).sum(axis=0, dtype=np.float64) / count
    sd = np.sqrt(np.where(known, (signals - mean) ** 2, 0).sum(axis=0) / count)
    mean = np.where(known.any(axis=0), mean, np.nan)
    return mean, np.where(constant_units(signals) | ~known.any(axis=0), 0.0, sd)


def quantiles(signals: np.ndarray, at: tuple[float, ...]) -> np.ndarray:
    """Quantiles of every unit over time.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)
    at : tuple of float
        Between 0 and 1.

    Returns
    -------
    array of shape (len(at), n_units)
        NaN for units without any sample.
    """
    if np.isfinite(signals).all():
        return np.asarray(np.quantile(signals, at, axis=0))  # far faster than nanquantile
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # units without any sample stay NaN
        return np.asarray(np.nanquantile(signals, at, axis=0))
