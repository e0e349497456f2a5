"""Series of runs of any length and sampling rate: scaled, windowed, reduced, resampled.

Axis legend: t samples, n ROIs, e edges, w windows, c components.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.connectivity_matrices import edges, fisher_z

__all__ = [
    "FEWEST_SAMPLES",
    "Run",
    "oriented",
    "principal_axes",
    "resampled",
    "standardised",
    "windowed_edges",
]

FEWEST_SAMPLES = 5  # of a window: fewer make correlations of nearly 1 by chance


class Run(NamedTuple):
    """Series of one run: `values` (n_times, n_rois), NaN missing; `sampling_rate` in Hz."""

    values: np.ndarray
    sampling_rate: float


def standardised(values: np.ndarray) -> np.ndarray:
    """Bring every ROI to mean 0 and standard deviation 1 over its finite samples.

    Parameters
    ----------
    values : array of shape (n_times, n_rois)

    Returns
    -------
    array of float64 of shape (n_times, n_rois)
        0 where a value is missing, and for a ROI that does not vary.
    """
    known = np.isfinite(values)
    x = np.where(known, values, 0.0)
    count = np.maximum(known.sum(axis=0), 1)
    x = np.where(known, x - x.sum(axis=0) / count, 0.0)
    spread = np.sqrt((x**2).sum(axis=0) / count)
    largest = np.abs(np.where(known, values, 0.0)).max(axis=0, initial=0.0)
    varies = spread > 1e-6 * largest
    return np.asarray(np.where(varies, x / np.where(varies, spread, 1.0), 0.0))


def windowed_edges(run: Run, window: float, step: float) -> tuple[np.ndarray, float]:
    """Connectivity in sliding windows.

    Parameters
    ----------
    run : Run
        Shorter than the window: the whole run is one window.
    window, step : float
        In s.

    Returns
    -------
    edges : array of float32 of shape (n_windows, n_edges)
        Fisher z of the correlations; 0 where a ROI does not vary within the window.
    step : float
        Time between windows in s, as it is in whole samples.

    Raises
    ------
    UnfitRecordingError
        If a window has fewer than 5 samples.
    """
    n_times = len(run.values)
    length = min(round(window * run.sampling_rate), n_times)
    if length < FEWEST_SAMPLES:
        raise UnfitRecordingError(
            f"windows of {length} samples",
            f"at least {FEWEST_SAMPLES}",
            "use longer windows or runs",
        )
    stride = max(1, round(step * run.sampling_rate))
    rows = []
    for start in range(0, n_times - length + 1, stride):
        z = standardised(run.values[start : start + length])
        rows.append(fisher_z(edges(z.T @ z / length)).astype(np.float32))
    return np.stack(rows), stride / run.sampling_rate


def principal_axes(series: Sequence[np.ndarray], n_components: int) -> np.ndarray:
    """Whitening principal axes of standardised series.

    Parameters
    ----------
    series : sequence of arrays of shape (n_times, n_rois)
        Each counts by its number of samples.
    n_components : int
        Fewer where fewer directions vary.

    Returns
    -------
    array of shape (n_rois, n_components)
        ``series @ axes`` has unit variance over all series.

    Raises
    ------
    UnfitRecordingError
        If nothing varies.
    """
    total = sum(len(part) for part in series)
    covariance = np.sum([part.T @ part for part in series], axis=0) / max(total, 1)
    values, axes = oriented(covariance, n_components)
    return np.asarray(axes / np.sqrt(values))


def oriented(matrix: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading eigenvectors, their signs fixed.

    Parameters
    ----------
    matrix : array of shape (n_rois, n_rois)
        Symmetric and positive semidefinite.
    n_components : int

    Returns
    -------
    values : array of shape (n_components,)
        Largest first; those that are zero but for rounding are left out.
    vectors : array of shape (n_rois, n_components)
        The largest entry of each is positive.

    Raises
    ------
    UnfitRecordingError
        If the matrix is zero.
    """
    values, vectors = np.linalg.eigh(matrix)
    kept = np.flatnonzero(values > max(1e-8 * values[-1], 1e-12))[::-1][:n_components]
    if not len(kept):
        raise UnfitRecordingError("series that do not vary", "activity", "check the recordings")
    axes = vectors[:, kept]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(kept))])
    return values[kept], np.asarray(axes * signs)


def resampled(series: np.ndarray, rate: float, wanted: float) -> np.ndarray:
    """Bring a series to another sampling rate, free of aliasing.

    Parameters
    ----------
    series : array of shape (n_times, n_columns)
        Mean 0: beyond its ends it is taken to be 0.
    rate, wanted : float
        In Hz; within 1 % of each other the series stays as it is.

    Returns
    -------
    array of shape (n_times * wanted / rate, n_columns)
    """
    from scipy.signal import resample_poly

    if abs(wanted / rate - 1) < 0.01:
        return series
    ratio = Fraction(wanted / rate).limit_denominator(100)
    return np.asarray(resample_poly(series, ratio.numerator, ratio.denominator, axis=0))
