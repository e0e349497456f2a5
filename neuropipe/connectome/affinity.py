"""From traces to what affinities are made of: scaled rates of change and their signed parts.

Two units are alike at a moment when they change in the same direction. With u the rises and v the
falls of all units, the affinity of units i and j is ``u_i u_j + v_i v_j``: no tensor of pairs is
needed to work with it.

Axis legend: w animals, n units, t samples of the traces, s samples of the tensor.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
from scipy.ndimage import gaussian_filter1d

from neuropipe.connectome.settings import AffinitySettings

__all__ = ["pair_index", "rates_of_change", "rises_and_falls", "signed_parts", "time_filter"]

_ROBUST = 1.4826  # SD of a normal variable over its median absolute deviation


def rates_of_change(
    traces: np.ndarray,
    sampling_rate: float,
    settings: AffinitySettings,
    segments: np.ndarray | None = None,
) -> np.ndarray:
    """Smooth traces, differentiate them, and scale each by its own noise.

    Parameters
    ----------
    traces : array of shape (w, n, t)
        NaN where the animal lacks the unit, and after a recording's end.
    sampling_rate : float
        In Hz.
    settings : AffinitySettings
        `smoothing`, `noise_floor`, `cap`.
    segments : array of int of shape (n_segments, 2), optional
        Start and stop, in samples, of stretches that are contiguous in time; default: all in one.
        Nothing is smoothed or differentiated across their borders.

    Returns
    -------
    array of float32 of shape (w, n, t)
        In robust SDs (1.4826 times the median absolute deviation) of each trace's own rate of
        change; 0 where nothing is known.
    """
    rates = np.zeros(traces.shape, dtype=np.float32)
    whole = np.array([[0, traces.shape[-1]]]) if segments is None else segments
    for trace, rate in zip(traces, rates, strict=True):
        present = np.isfinite(trace).any(axis=1)
        known = np.isfinite(trace[present]).all(axis=0)
        if not present.any():
            continue
        parts = np.zeros((int(present.sum()), trace.shape[1]))
        for start, stop in whole:
            inside = np.flatnonzero(known[start:stop]) + start
            if len(inside) > 1:
                parts[:, inside] = _derivative(trace[present][:, inside], sampling_rate, settings)
        parts[:, known] /= _noise(parts[:, known])
        rate[present] = _cut(parts, known, settings)
    return rates


def _derivative(values: np.ndarray, rate: float, settings: AffinitySettings) -> np.ndarray:
    sd = settings.smoothing * rate
    smooth = gaussian_filter1d(values.astype(float), sd, mode="nearest") if sd > 0.1 else values
    return np.asarray(np.gradient(smooth.astype(float), axis=1) * rate)


def _noise(rates: np.ndarray) -> np.ndarray:
    """Robust SD of each row, the plain one where more than half of the samples are alike."""
    sd = _ROBUST * np.median(np.abs(rates - np.median(rates, axis=1, keepdims=True)), axis=1)
    sd = np.where(sd > 1e-6 * np.abs(rates).max(axis=1), sd, rates.std(axis=1))
    return np.asarray(np.where(sd > 0, sd, 1.0)[:, None])


def _cut(rates: np.ndarray, known: np.ndarray, settings: AffinitySettings) -> np.ndarray:
    size = np.maximum(np.abs(rates) - settings.noise_floor, 0)
    if settings.cap is not None:
        highest = np.quantile(size[:, known], settings.cap, axis=1, keepdims=True)
        size = np.minimum(size, highest)
    return np.asarray(np.sign(rates) * size)


def rises_and_falls(rates: np.ndarray, settings: AffinitySettings) -> tuple[np.ndarray, np.ndarray]:
    """Split rates of change by sign into the factors of a separable affinity.

    Parameters
    ----------
    rates : array of shape (w, n, t)
    settings : AffinitySettings
        `kind`: ``geo`` takes square roots, ``prod`` takes sizes as they are.

    Returns
    -------
    rises, falls : array of shape (w, n, t)
        Nonnegative, never both above 0.
    """
    return signed_parts(rates, root=settings.kind == "geo")


def signed_parts(rates: np.ndarray, *, root: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sizes of what is above 0 and of what is below, or their square roots."""
    rises, falls = np.maximum(rates, 0), np.maximum(-rates, 0)
    return (np.sqrt(rises), np.sqrt(falls)) if root else (rises, falls)


def pair_index(n_units: int) -> tuple[np.ndarray, np.ndarray]:
    """Units (i, j), i < j, of every pair, in the order of all arrays over pairs."""
    return np.triu_indices(n_units, k=1)


def time_filter(
    n_samples: int, sd: float, step: int = 1, segments: np.ndarray | None = None
) -> scipy.sparse.csr_array:
    """Gaussian average over time, of which every `step`-th sample is kept.

    Parameters
    ----------
    n_samples : int
        Of the traces.
    sd : float
        Of the Gaussian, in samples; 0 for none.
    step : int
        Samples of the traces a sample of the tensor.
    segments : array of int of shape (n_segments, 2), optional
        Nothing is averaged across their borders.

    Returns
    -------
    scipy.sparse.csr_array of shape (n_kept, n_samples)
        Rows sum to 1. Kept samples lie in the middle of each stretch of `step` samples; of a
        segment's last, incomplete stretch too.
    """
    rows, columns, values = [], [], []
    radius = int(np.ceil(4 * sd)) if sd > 0.1 else 0
    lags = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (lags / sd) ** 2) if radius else np.ones(1)
    n_kept = 0
    for start, stop in [(0, n_samples)] if segments is None else segments:
        starts = np.arange(start, stop, step)
        centres = starts + (np.minimum(starts + step, stop) - starts) // 2
        near = centres[:, None] + lags
        inside = (near >= start) & (near < stop)
        weights = np.where(inside, kernel, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        rows.append(np.broadcast_to(n_kept + np.arange(len(centres))[:, None], near.shape)[inside])
        columns.append(near[inside])
        values.append(weights[inside])
        n_kept += len(centres)
    where = (np.concatenate(rows), np.concatenate(columns))
    return scipy.sparse.csr_array((np.concatenate(values), where), shape=(n_kept, n_samples))
