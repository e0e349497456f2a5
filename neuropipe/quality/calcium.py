"""Numbers on fluorescence traces: noise, signal, events, artefacts.

All functions take arrays of shape (n_times, n_units), dF/F, fluorescence or z-scores, with NaN
where a sample is missing. None of them assumes a unit of measurement, except `noise_level`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.quality.series import quantiles

_MAD_TO_SD = 1.4826022185056018  # median absolute deviation of a normal distribution to its sd


@dataclass(frozen=True)
class CalciumNumbers:
    """Everything computed from one recording; arrays of shape (n_units,) unless said otherwise.

    Parameters
    ----------
    snr : peak over noise
    noise : sd of the noise, in the unit of the traces
    noise_level : standardised noise in % / sqrt(Hz), None where the traces are no dF/F
    event_rate : in events per min
    line_share : share of variance that a straight line explains
    dip_share : share of samples in negative artefacts
    events : array of bool of shape (n_times, n_units), onsets
    """

    snr: np.ndarray
    noise: np.ndarray
    noise_level: np.ndarray | None
    event_rate: np.ndarray
    line_share: np.ndarray
    dip_share: np.ndarray
    events: np.ndarray


def noise_sd(traces: np.ndarray) -> np.ndarray:
    """Standard deviation of the noise from the differences of successive samples.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)

    Returns
    -------
    array of shape (n_units,)
        In the unit of the traces; slow signals and rare fast ones hardly touch it. NaN where there
        are no two successive samples.

    Notes
    -----
    The difference of two samples of white noise has twice its variance; its spread is estimated by
    the median absolute deviation.
    """
    steps = np.diff(traces, axis=0)
    return np.asarray(_MAD_TO_SD / np.sqrt(2) * _median(np.abs(steps - _median(steps))))


def noise_level(traces: np.ndarray, sampling_rate: float) -> np.ndarray:
    """Standardised noise of dF/F, comparable between frame rates.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)
        dF/F as a ratio.
    sampling_rate : float
        In Hz.

    Returns
    -------
    array of shape (n_units,)
        In % / sqrt(Hz); 1 is very low, 8 to 9 high.

    Notes
    -----
    ``nu = median |dF/F(t+1) - dF/F(t)| / sqrt(rate)``, Rupprecht et al. 2021, Methods.
    """
    return np.asarray(100 * _median(np.abs(np.diff(traces, axis=0))) / np.sqrt(sampling_rate))


def peak_to_noise(traces: np.ndarray, percentile: float = 99.0) -> np.ndarray:
    """Height of a trace's peaks over its median, in sd of its noise.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)
    percentile : float
        What counts as the peak; the maximum itself would grow with the recording's length.

    Returns
    -------
    array of shape (n_units,)
        White noise reaches 2.3 at the 99th percentile. NaN for constant units.
    """
    low, peak = quantiles(traces, (0.5, percentile / 100))
    noise = noise_sd(traces)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(noise > 0, (peak - low) / noise, np.nan))


def find_events(
    traces: np.ndarray, sampling_rate: float, *, threshold: float = 3.0, duration: float = 0.2
) -> np.ndarray:
    """Find the onsets of positive transients.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)
    sampling_rate : float
        In Hz.
    threshold : float
        Height over the unit's median, in sd of its noise.
    duration : float
        Shortest time above the threshold, in s; never fewer than two samples, which single noisy
        samples do not reach.

    Returns
    -------
    array of bool of shape (n_times, n_units)
        True at the first sample of each event. After an event the trace must fall below half the
        threshold before another one counts.
    """
    level = _median(traces)
    height = threshold * noise_sd(traces)
    with np.errstate(invalid="ignore"):
        above = (traces > level + height) & (height > 0)
        low = traces < level + height / 2
    n_samples = max(2, round(duration * sampling_rate))
    lasting = above.copy()
    for lag in range(1, n_samples):
        lasting[:-lag] &= above[lag:]
        lasting[-lag:] = False
    # State of a Schmitt trigger: the last sample that was either lasting or low decides.
    time = np.arange(len(traces))[:, None]
    last_high = np.maximum.accumulate(np.where(lasting, time, -1), axis=0)
    last_low = np.maximum.accumulate(np.where(low, time, -1), axis=0)
    on = last_high > last_low
    onsets = on.copy()
    onsets[1:] &= ~on[:-1]
    return onsets


def find_dips(
    traces: np.ndarray, sampling_rate: float, *, depth: float = 5.0, duration: float = 0.5
) -> np.ndarray:
    """Find brief falls that no indicator makes: motion, lost focus, frames of bad registration.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)
    sampling_rate : float
        In Hz.
    depth : float
        Least depth below the trace on either side, in sd of the noise.
    duration : float
        Distance on either side where the trace must be back, in s; at least one sample.

    Returns
    -------
    array of bool of shape (n_times, n_units)
        True in a dip. Slow falls, such as those of graded neurons, are none.
    """
    lag = max(1, round(duration * sampling_rate))
    dips = np.zeros(traces.shape, dtype=bool)
    if len(traces) > 2 * lag:
        noise = noise_sd(traces)
        sides = np.minimum(traces[: -2 * lag], traces[2 * lag :])
        with np.errstate(invalid="ignore"):
            dips[lag:-lag] = (sides - traces[lag:-lag] > depth * noise) & (noise > 0)
    return dips


def _median(values: np.ndarray) -> np.ndarray:
    return np.asarray(quantiles(values, (0.5,))[0])
