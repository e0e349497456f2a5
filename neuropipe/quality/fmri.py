"""Numbers on region time series: temporal SNR, motion-like jumps, global signal, spectrum.

All functions take arrays of shape (n_times, n_units) with NaN where a sample is missing.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from neuropipe.quality.series import mean_over_units, mean_sd, quantiles, zscored

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
    mean, sd = mean_sd(signals)
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
    q1, center, q3 = quantiles(signals, (0.25, 0.5, 0.75))
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
    own, sd = mean_sd(signals)
    if means is None:
        means = own
        if not (sd > 0).any() or np.median(own[sd > 0] / sd[sd > 0]) <= 1:
            return None
    usable = np.isfinite(means) & (means > 0) & (sd > 0)
    if not usable.any():
        return None
    return 100 * mean_over_units((signals[:, usable] - own[usable]) / means[usable])


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
    for start in range(0, len(filled) - length + 1, length - length // 2):
        part = filled[start : start + length]
        power += np.abs(np.fft.rfft((part - part.mean(axis=0)) * window, axis=0)) ** 2
    power[1 : (length + 1) // 2] *= 2  # frequencies that stand for a negative one too
    power = power[1:]
    total = power.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        normalised = np.where(total > 0, power / total, np.nan)
    return np.fft.rfftfreq(length, 1 / sampling_rate)[1:], normalised
