"""Numbers on region time series: signal, motion-like jumps, drift, coverage.

All functions take arrays of shape (n_times, n_units) with NaN where a sample is missing.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

_IQR_TO_SD = 1.3489795003921634  # interquartile range of the standard normal distribution


@dataclass(frozen=True)
class FmriNumbers:
    """Everything computed from one recording.

    Parameters
    ----------
    tsnr, coverage : array of shape (n_units,) or None
        None where it is not known.
    constant : array of bool of shape (n_units,)
    line_share : array of shape (n_units,)
        Share of each unit's variance that a line explains.
    dvars, global_z : array of shape (n_times,)
        Standardised DVARS; mean over units of the z-scored series.
    global_percent, displacement : array of shape (n_times,) or None
        Global signal in %; framewise displacement in mm.
    """

    tsnr: np.ndarray | None
    coverage: np.ndarray | None
    constant: np.ndarray
    line_share: np.ndarray
    dvars: np.ndarray
    global_z: np.ndarray
    global_percent: np.ndarray | None
    displacement: np.ndarray | None


def temporal_snr(signals: np.ndarray) -> np.ndarray | None:
    """Mean of every unit over its standard deviation in time.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)
        Series in scanner units.

    Returns
    -------
    array of shape (n_units,) or None
        NaN for constant units. None where the median unit's mean does not exceed its standard
        deviation: then the series were demeaned or scaled and hold no temporal SNR.

    Notes
    -----
    Murphy, Bodurka & Bandettini 2007, NeuroImage 34, 565.
    """
    mean, sd = _mean_sd(signals)
    varying = sd > 0
    if not varying.any() or np.median(mean[varying] / sd[varying]) <= 1:
        return None
    return np.where(varying, mean / np.where(varying, sd, 1), np.nan)


def standardised_dvars(signals: np.ndarray) -> np.ndarray:
    """Root mean square change from frame to frame, relative to what noise alone would give.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)
        Series in any unit; each is first brought to unit robust variance, so that no bright region
        rules the sum.

    Returns
    -------
    array of shape (n_times,)
        Around 1 in undisturbed frames; the first is NaN, and so is a frame beside missing samples
        of all units.

    Notes
    -----
    DVARS of Power et al. 2012 divided by its expectation ``sqrt(2 (1 - rho) sigma^2)`` under an
    AR(1) process, with sigma from the interquartile range (Nichols 2017, arXiv 1704.01469).
    """
    q1, center, q3 = _quantiles(signals, (0.25, 0.5, 0.75))
    sd = (q3 - q1) / _IQR_TO_SD
    used = sd > 0
    if not used.any():
        return np.full(len(signals), np.nan)
    scaled = (signals[:, used] - center[used]) / sd[used]
    steps = np.diff(scaled, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # frames without any sample stay NaN
        dvars = np.sqrt(np.nanmean(steps**2, axis=1))
        rho = np.nanmean(scaled[1:] * scaled[:-1], axis=0) / np.nanmean(scaled**2, axis=0)
    expected = np.sqrt(np.mean(2 * (1 - np.clip(rho, -1, 0.999))))
    return np.concatenate([[np.nan], dvars / expected])


def percent_change(signals: np.ndarray, means: np.ndarray | None) -> np.ndarray | None:
    """Global signal in per cent of the mean.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)
        Series in scanner units, with or without their mean.
    means : array of shape (n_units,), optional
        Means before cleaning; by default those of the series.

    Returns
    -------
    array of shape (n_times,) or None
        Change of the mean over units, in %; None where no positive means are known.
    """
    own, sd = _mean_sd(signals)
    if means is None:
        means = own
        if not (sd > 0).any() or np.median(own[sd > 0] / sd[sd > 0]) <= 1:
            return None
    usable = np.isfinite(means) & (means > 0) & (sd > 0)
    if not usable.any():
        return None
    return 100 * mean_over_units((signals[:, usable] - own[usable]) / means[usable])


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


def zscored(signals: np.ndarray) -> np.ndarray:
    """Bring every unit to mean 0 and variance 1; constant units become NaN."""
    mean, sd = _mean_sd(signals)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sd > 0, (signals - mean) / sd, np.nan)


def power_spectrum(
    signals: np.ndarray, sampling_rate: float, segment: float = 120.0
) -> tuple[np.ndarray, np.ndarray]:
    """Power of every unit by frequency, each unit's spectrum summing to one.

    Parameters
    ----------
    signals : array of shape (n_times, n_units)
        Missing samples count as the unit's mean.
    sampling_rate : float
        In Hz.
    segment : float
        Length of the overlapping Hann windows, in s.

    Returns
    -------
    frequencies : array of shape (n_frequencies,)
        In Hz, from the first above 0.
    power : array of shape (n_frequencies, n_units)
        Share of the variance in each frequency bin; NaN for constant units.

    Notes
    -----
    Welch 1967, half overlap.
    """
    filled = np.nan_to_num(zscored(signals))
    length = min(len(filled), max(16, round(segment * sampling_rate)))
    window = np.hanning(length + 1)[:-1, None]
    power = np.zeros((length // 2 + 1, filled.shape[1]))
    for start in range(0, len(filled) - length + 1, max(1, length // 2)):
        part = filled[start : start + length]
        power += np.abs(np.fft.rfft((part - part.mean(axis=0)) * window, axis=0)) ** 2
    power = power[1:]
    total = power.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        normalised = np.where(total > 0, power / total, np.nan)
    return np.fft.rfftfreq(length, 1 / sampling_rate)[1:], normalised


def _mean_sd(signals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd over time in float64, exact zeros for constant units."""
    known = np.isfinite(signals)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, signals, 0).sum(axis=0, dtype=np.float64) / count
    sd = np.sqrt(np.where(known, (signals - mean) ** 2, 0).sum(axis=0) / count)
    mean = np.where(known.any(axis=0), mean, np.nan)
    return mean, np.where(constant_units(signals) | ~known.any(axis=0), 0.0, sd)


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


def _quantiles(signals: np.ndarray, at: tuple[float, ...]) -> np.ndarray:
    if np.isfinite(signals).all():
        return np.asarray(np.quantile(signals, at, axis=0))  # far faster than nanquantile
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # units without any sample stay NaN
        return np.asarray(np.nanquantile(signals, at, axis=0))
