"""Temporal cleaning of unit series, by `nilearn.signal.clean`, and their numbers before it."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np

from neuropipe.errors import InputError, SettingsError
from neuropipe.ingest.settings import FmriReadSettings

Standardize = Literal[False, "zscore_sample", "psc"]
_FEWEST = 10  # volumes left, below which no filter or regression means anything


def unit_statistics(series: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, spread and temporal signal-to-noise ratio of raw series.

    Parameters
    ----------
    series : array of shape (n_times, n_units)
        Before any cleaning; NaN is missing.

    Returns
    -------
    dict of str to array of shape (n_units,), float64
        ``mean``, ``sd`` (around a fitted line, sample sd) and ``tsnr`` = mean / sd. The last is NaN
        where the series were demeaned: where the mean does not exceed the sd.

    Notes
    -----
    tSNR after linear detrending: Murphy, Bodurka & Bandettini 2007, NeuroImage 34, 565.
    """
    values = np.asarray(series, dtype=np.float64)
    known = np.isfinite(values)
    n = known.sum(axis=0)
    time = np.arange(len(values), dtype=np.float64)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=0) / n
        centred_time = np.where(known, time - (known * time).sum(axis=0) / n, 0)
        centred = np.where(known, values - mean, 0)
        slope = (centred_time * centred).sum(axis=0) / (centred_time**2).sum(axis=0)
        rest = centred - np.nan_to_num(slope) * centred_time
        sd = np.sqrt((rest**2).sum(axis=0) / (n - 2))
        tsnr = np.where(np.abs(mean) > sd, mean / sd, np.nan)
    return {"mean": mean, "sd": sd, "tsnr": np.where(sd > 0, tsnr, np.nan)}


def is_cleaned(settings: FmriReadSettings) -> bool:
    """Tell whether any temporal cleaning is asked for."""
    return bool(
        settings.detrend
        or settings.standardize
        or settings.high_pass
        or settings.low_pass
        or settings.confounds
    )


def clean_series(
    series: np.ndarray,
    repetition_time: float,
    settings: FmriReadSettings,
    regressors: np.ndarray | None = None,
    kept: np.ndarray | None = None,
) -> np.ndarray:
    """Detrend, filter, regress out confounds and standardise.

    Parameters
    ----------
    series : array of shape (n_times, n_units)
        NaN is missing.
    repetition_time : float
        In s.
    settings : FmriReadSettings
        Which steps.
    regressors : array of shape (n_times, n_regressors), optional
        Confounds.
    kept : array of shape (n_times,), bool, optional
        Volumes not scrubbed.

    Returns
    -------
    array of shape (n_times, n_units), float64
        NaN in scrubbed volumes and where a sample was missing.

    Raises
    ------
    SettingsError
        If a cutoff does not lie below half the sampling rate, or they are in the wrong order.
    InputError
        If too few volumes are left for the regressors or the filter, or series without a mean are
        to become percent signal change.

    Notes
    -----
    Order and joint filtering of confounds as in `nilearn.signal.clean` (Lindquist et al. 2019).
    Scrubbed and missing samples are interpolated for the filter only. Units that miss other samples
    are cleaned apart.
    """
    _check_cutoffs(settings, repetition_time)
    known = np.isfinite(series)
    if kept is not None:
        known &= kept[:, None]
    cleaned = np.full(series.shape, np.nan)
    if not is_cleaned(settings):
        cleaned[known] = series[known]
        return cleaned
    if settings.standardize == "psc":
        _check_means(series)
    patterns, group = np.unique(known, axis=1, return_inverse=True)
    for g, pattern in enumerate(patterns.T):
        units = np.flatnonzero(group.ravel() == g)
        n_known, n_terms = int(pattern.sum()), 0 if regressors is None else regressors.shape[1]
        if n_known < max(_FEWEST, n_terms + 2):
            raise InputError(
                f"{n_known} of {len(pattern)} volumes are left for {n_terms} regressors",
                f"at least {max(_FEWEST, n_terms + 2)}",
                "use fewer confounds or a higher fd_threshold, or leave the run out",
            )
        where = np.flatnonzero(pattern)
        span = slice(where[0], where[-1] + 1)
        block = _bridged(series[span][:, units], pattern[span])
        nuisance = None if regressors is None else _bridged(regressors[span], pattern[span])
        mask = None if pattern[span].all() else where - where[0]
        cleaned[np.ix_(where, units)] = _nilearn_clean(
            block, repetition_time, settings, nuisance, mask
        )
    return cleaned


def _bridged(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill unknown times by a cubic spline, as nilearn means to before filtering.

    nilearn 0.13 takes ``~`` of an index for the other rows, and so leaves some scrubbed volumes as
    they are; bridged ones it finds bridged already.
    """
    if known.all():
        return np.array(values, dtype=np.float64)
    from scipy.interpolate import CubicSpline

    time = np.arange(len(values))
    filled = np.array(values, dtype=np.float64)
    filled[~known] = CubicSpline(time[known], filled[known], axis=0)(time[~known])
    return filled


def _nilearn_clean(
    series: np.ndarray,
    repetition_time: float,
    settings: FmriReadSettings,
    regressors: np.ndarray | None,
    mask: np.ndarray | None,
) -> np.ndarray:
    from nilearn.signal import clean

    filtered = settings.high_pass is not None or settings.low_pass is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            out = clean(
                np.array(series, dtype=np.float64),
                detrend=settings.detrend,
                standardize=settings.standardize or None,
                confounds=regressors,
                sample_mask=mask,
                filter="butterworth" if filtered else False,
                low_pass=settings.low_pass,
                high_pass=settings.high_pass,
                t_r=repetition_time,
            )
        except ValueError as error:
            raise InputError(
                f"{len(series)} volumes cannot be cleaned: {error}",
                "a run long enough for its filter",
                "widen the filter or leave it out",
            ) from error
    return np.asarray(out)


def _check_cutoffs(settings: FmriReadSettings, repetition_time: float) -> None:
    nyquist = 0.5 / repetition_time
    for name in ("high_pass", "low_pass"):
        cutoff = getattr(settings, name)
        if cutoff is not None and cutoff >= nyquist:
            raise SettingsError(
                f"read.{name} is {cutoff:g} Hz at a repetition time of {repetition_time:g} s",
                f"below {nyquist:g} Hz",
                "correct it",
            )
    if settings.high_pass and settings.low_pass and settings.high_pass >= settings.low_pass:
        raise SettingsError(
            f"read.high_pass is {settings.high_pass:g} Hz, low_pass {settings.low_pass:g} Hz",
            "high_pass below low_pass",
            "swap them",
        )


def _check_means(series: np.ndarray) -> None:
    numbers = unit_statistics(series)
    demeaned = np.flatnonzero(np.abs(numbers["mean"]) <= numbers["sd"])
    if len(demeaned):
        raise InputError(
            f"{len(demeaned)} of {series.shape[1]} units have a mean below their sd",
            "series with their mean, for percent signal change",
            "use standardize: zscore_sample",
        )


def describe(settings: FmriReadSettings, columns: list[str]) -> list[str]:
    """Put the cleaning that was done into words, in its order.

    Parameters
    ----------
    settings : FmriReadSettings
    columns : list of str
        Confounds that were regressed out.
    """
    steps = []
    if settings.detrend:
        steps.append("linear trend removed")
    if settings.high_pass or settings.low_pass:
        band = [
            f"above {settings.high_pass:g} Hz" if settings.high_pass else "",
            f"below {settings.low_pass:g} Hz" if settings.low_pass else "",
        ]
        steps.append(f"Butterworth filter of order 5, kept {' and '.join(b for b in band if b)}")
    if columns:
        steps.append(f"{len(columns)} confounds regressed out: {', '.join(columns)}")
    if settings.standardize:
        named = {"zscore_sample": "z-scored", "psc": "scaled to percent signal change"}
        steps.append(named[settings.standardize])
    return steps
