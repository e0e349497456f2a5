"""From raw fluorescence to dF/F."""

from __future__ import annotations

import numpy as np

from neuropipe.errors import InputError


def is_normalised(traces: np.ndarray) -> bool:
    """Tell whether traces are already dF/F or z-scores rather than raw fluorescence.

    Raw fluorescence is a count: positive, with a mean well above its fluctuations. Normalised
    traces fall below zero and keep their mean within one standard deviation of it.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)
        NaN is missing.

    Returns
    -------
    bool
        True when more than half of the units look normalised.
    """
    # An absent or constant unit has no verdict and does not count.
    measured = np.isfinite(traces).sum(axis=0) > 1
    kept = traces[:, measured].astype(np.float64)
    if not kept.size:
        return False
    mean, spread = np.nanmean(kept, axis=0), np.nanstd(kept, axis=0)
    return bool(np.mean((np.nanmin(kept, axis=0) < 0) & (np.abs(mean) <= spread)) > 0.5)


def running_baseline(
    traces: np.ndarray, sampling_rate: float, *, window: float, percentile: float
) -> np.ndarray:
    """Running percentile of each trace.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)
        NaN is missing and is bridged linearly for the baseline alone.
    sampling_rate : float
        In Hz.
    window : float
        Length of the running window in s; one longer than the trace uses the whole trace.
    percentile : float
        In [0, 100].

    Returns
    -------
    array of shape (n_times, n_units), float32
        NaN for a unit without any value.
    """
    # Imported here, because traces that are normalised already need none of scipy.
    from scipy.ndimage import percentile_filter

    n_times = len(traces)
    size = max(1, min(round(window * sampling_rate), n_times))
    index = np.arange(n_times)
    baseline = np.full(traces.shape, np.nan, dtype=np.float32)
    for unit, trace in enumerate(np.asarray(traces, dtype=np.float32).T):
        finite = np.isfinite(trace)
        if finite.any():
            bridged = trace if finite.all() else np.interp(index, index[finite], trace[finite])
            baseline[:, unit] = percentile_filter(bridged, percentile, size=size, mode="nearest")
    return baseline


def subtract_neuropil(traces: np.ndarray, neuropil: np.ndarray, factor: float) -> np.ndarray:
    """Remove a share of the surrounding neuropil: F - factor x Fneu.

    Parameters
    ----------
    traces, neuropil : array of shape (n_times, n_units)
    factor : float
        In [0, 1]; 0.7 after Chen et al. 2013 (Nature 499, 295-300).

    Returns
    -------
    array of shape (n_times, n_units), float32
    """
    result: np.ndarray = np.asarray(traces, dtype=np.float32) - np.float32(factor) * np.asarray(
        neuropil, dtype=np.float32
    )
    return result


def delta_f_over_f(
    traces: np.ndarray, sampling_rate: float, *, window: float, percentile: float
) -> np.ndarray:
    """(F - F0) / F0 with a running percentile as baseline F0.

    Parameters
    ----------
    traces : array of shape (n_times, n_units)
        Raw fluorescence; NaN is missing.
    sampling_rate : float
        In Hz.
    window : float
        Of the baseline, in s.
    percentile : float
        Of the baseline, in [0, 100].

    Returns
    -------
    array of shape (n_times, n_units), float32
        All NaN for a unit whose baseline is not positive throughout.

    Raises
    ------
    InputError
        If no unit has a positive baseline.
    """
    f0 = running_baseline(traces, sampling_rate, window=window, percentile=percentile)
    usable = (f0 > 0).all(axis=0)
    if not usable.any():
        raise InputError(
            f"none of {traces.shape[1]} units has a positive baseline fluorescence",
            "raw fluorescence",
            "set dff: never if the traces are normalised already",
        )
    result = np.full(traces.shape, np.nan, dtype=np.float32)
    result[:, usable] = (traces[:, usable] - f0[:, usable]) / f0[:, usable]
    return result
