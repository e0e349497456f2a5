"""Numbers on sorted spikes: rate, refractory violations, presence, variability.

Spike times are in s and sorted; a list holds one array a unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SpikeNumbers:
    """Everything computed from one recording; arrays of shape (n_units,) unless said otherwise.

    Parameters
    ----------
    start, stop : float
        Span of the recording in s.
    n_spikes, n_violations : counts
    rate : in Hz
    violation_share, contamination : shares, see `neuropipe.quality.spikes`
    presence : share of time bins with spikes
    fano : variance over mean of spike counts
    n_trials : int
        Trials or windows behind `fano`.
    across : str
        What they are, in words.
    """

    start: float
    stop: float
    n_spikes: np.ndarray
    n_violations: np.ndarray
    rate: np.ndarray
    violation_share: np.ndarray
    contamination: np.ndarray
    presence: np.ndarray
    fano: np.ndarray
    n_trials: int
    across: str


def refractory_violations(
    trains: Sequence[np.ndarray], refractory: float = 0.002
) -> tuple[np.ndarray, np.ndarray]:
    """Count interspike intervals that no single neuron can make.

    Parameters
    ----------
    trains : sequence of n_units arrays
        Spike times in s, sorted.
    refractory : float
        Refractory period in s.

    Returns
    -------
    counts : array of int of shape (n_units,)
        Intervals shorter than the period.
    shares : array of shape (n_units,)
        Those intervals over all; NaN with fewer than two spikes.
    """
    counts = np.array([int((np.diff(t) < refractory).sum()) for t in trains], dtype=np.int64)
    intervals = np.array([max(len(t) - 1, 0) for t in trains])
    with np.errstate(invalid="ignore", divide="ignore"):
        return counts, np.where(intervals > 0, counts / intervals, np.nan)


def contamination(
    n_violations: np.ndarray, n_spikes: np.ndarray, duration: float, refractory: float = 0.002
) -> np.ndarray:
    """Share of a unit's spikes that stem from other neurons, from its refractory violations.

    Parameters
    ----------
    n_violations, n_spikes : array of shape (n_units,)
    duration : float
        Length of the recording in s.
    refractory : float
        Refractory period in s; the recording's own dead time is taken as zero.

    Returns
    -------
    array of shape (n_units,)
        Between 0 and 0.5. 0.5 where there are more violations than any mixture of a neuron and
        Poisson contamination makes; NaN without spikes.

    Notes
    -----
    Violations of a mixture: ``2 tau N^2 f (1 - f) / T`` with the share f (Hill, Mehta & Kleinfeld
    2011, J. Neurosci. 31, 8699).
    """
    spikes = np.asarray(n_spikes, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        product = n_violations * duration / (2 * refractory * spikes**2)
        return np.where(spikes > 0, (1 - np.sqrt(np.maximum(1 - 4 * product, 0))) / 2, np.nan)


def presence_ratio(
    trains: Sequence[np.ndarray], start: float, stop: float, bin_width: float = 60.0
) -> np.ndarray:
    """Share of time bins in which a unit fired at all.

    Parameters
    ----------
    trains : sequence of n_units arrays
    start, stop : float
        Span of the recording in s.
    bin_width : float
        In s; adjusted so that whole bins fill the span.

    Returns
    -------
    array of shape (n_units,)
        1 for a unit that was there all the time.
    """
    counts = binned_counts(trains, start, stop, max(1, round((stop - start) / bin_width)))
    return np.asarray((counts > 0).mean(axis=0))


def binned_counts(
    trains: Sequence[np.ndarray], start: float, stop: float, n_bins: int
) -> np.ndarray:
    """Count spikes in equal bins.

    Returns
    -------
    array of shape (n_bins, n_units)
        A spike at `stop` falls into the last bin.
    """
    edges = np.linspace(start, stop, n_bins + 1)
    edges[-1] = np.nextafter(stop, np.inf)
    counts = [np.diff(np.searchsorted(train, edges)) for train in trains]
    return np.stack(counts, axis=1) if counts else np.zeros((n_bins, 0), dtype=np.int64)


def trial_counts(trains: Sequence[np.ndarray], onsets: np.ndarray, window: float) -> np.ndarray:
    """Count spikes in a window after each onset.

    Parameters
    ----------
    trains : sequence of n_units arrays
    onsets : array of shape (n_trials,)
        In s.
    window : float
        In s.

    Returns
    -------
    array of shape (n_trials, n_units)
    """
    counts = [
        np.searchsorted(train, onsets + window) - np.searchsorted(train, onsets) for train in trains
    ]
    return np.stack(counts, axis=1) if counts else np.zeros((len(onsets), 0), dtype=np.int64)


def fano_factor(
    counts: np.ndarray, labels: np.ndarray | None = None, minimum: int = 5
) -> np.ndarray:
    """Variance of spike counts over their mean, across trials of the same kind.

    Parameters
    ----------
    counts : array of shape (n_trials, n_units)
        Spikes in windows of one length.
    labels : array of shape (n_trials,), optional
        Kind of each trial; kinds of fewer than `minimum` trials are left out, and where that
        leaves none all trials count as one kind.
    minimum : int

    Returns
    -------
    array of shape (n_units,)
        1 for a Poisson process; the mean over kinds, weighted by their trials. NaN for units
        without spikes and with fewer than two trials.

    Notes
    -----
    Fano 1947; Churchland et al. 2010, Nat. Neurosci. 13, 369.
    """
    counts = np.asarray(counts, dtype=np.float64)
    groups = [np.arange(len(counts))]
    if labels is not None:
        kinds, inverse, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        large = [np.flatnonzero(inverse == k) for k in range(len(kinds)) if sizes[k] >= minimum]
        groups = large or groups
    total, weight = np.zeros(counts.shape[1]), np.zeros(counts.shape[1])
    for rows in groups:
        if len(rows) < 2:
            continue
        mean, variance = counts[rows].mean(axis=0), counts[rows].var(axis=0, ddof=1)
        fired = mean > 0
        total[fired] += len(rows) * variance[fired] / mean[fired]
        weight[fired] += len(rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, total / weight, np.nan)
