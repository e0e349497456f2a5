"""Patterns of fMRI: one GLM a run, one regressor a condition (and fold of a single run)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.errors import UnfitRecordingError
from neuropipe.recording import Recording
from neuropipe.trsa.settings import ResponseSettings

__all__ = ["Betas", "fit_glm"]

_ANSWERED = (2.0, 12.0)  # s after the start and the end of an event, when blood flow responds
_LEAST_DF = 3


@dataclass(frozen=True, eq=False)
class Betas:
    """Estimates of one run.

    Parameters
    ----------
    values : array of shape (n_regressors, n_units)
        NaN for units that miss a frame or never change, and for regressors whose events lie
        outside the run.
    names : list of str
        Of the regressors of interest.
    residuals : array of shape (n_times, n_units)
        Whitened by the autocorrelation model; NaN for such units. Frames without any value
        (scrubbed ones) are left out.
    df : float
        Degrees of freedom of the residuals.
    """

    values: np.ndarray
    names: list[str]
    residuals: np.ndarray
    df: float


def fit_glm(recording: Recording, events: pd.DataFrame, settings: ResponseSettings) -> Betas:
    """Fit a general linear model to the signals of a run.

    Parameters
    ----------
    recording : Recording
        With signals.
    events : pandas.DataFrame
        ``onset`` and ``stop`` in s, ``condition``: one regressor each distinct entry.
    settings : ResponseSettings

    Returns
    -------
    Betas

    Raises
    ------
    UnfitRecordingError
        If there are no signals, a confound is missing, regressors are not independent, or there
        are too few frames for them.

    Notes
    -----
    nilearn's first-level model: events convolved with the hemodynamic response, cosine drifts, a
    constant, autoregressive noise of order one, fitted for groups of units of like autocorrelation.
    Estimates of one run have common noise, all the more the closer their events follow each other.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn's own deprecations at import
        from nilearn.glm.first_level import make_first_level_design_matrix, run_glm

    if recording.signals is None:
        raise UnfitRecordingError(
            f"recording {recording.recording} has no signals", "time series", "leave it out"
        )
    signals = recording.signals.values.astype(np.float64)
    times = recording.signals["time"].values
    names = list(dict.fromkeys(map(str, events["condition"])))
    kept = np.isfinite(signals).any(axis=1)
    seen = _seen(events, times[kept])
    inside = list(dict.fromkeys(map(str, events.loc[seen, "condition"])))
    # nilearn wants identifiers, and would change other names.
    regressors = {name: f"condition_{k:05d}" for k, name in enumerate(inside)}
    table = pd.DataFrame(
        {
            "onset": events.loc[seen, "onset"],
            "duration": (events["stop"] - events["onset"])[seen].clip(lower=0),
            "trial_type": [regressors[name] for name in events.loc[seen, "condition"]],
        }
    )
    confounds = _confounds(recording, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of events before the first frame: their part counts
        design = make_first_level_design_matrix(
            times,
            table if len(table) else None,
            hrf_model=settings.hrf,
            drift_model="cosine" if settings.high_pass > 0 else None,
            high_pass=settings.high_pass,
            add_regs=None if confounds is None else confounds.to_numpy(),
            add_reg_names=None if confounds is None else list(confounds),
        )
    signals, matrix = signals[kept], design.to_numpy(float)[kept]
    _check_design(recording.recording, matrix)
    columns = [design.columns.get_loc(title) for title in regressors.values()]
    known = np.isfinite(signals).all(axis=0) & (np.ptp(signals, axis=0) > 0)
    values = np.full((len(names), signals.shape[1]), np.nan)
    residuals = np.full(signals.shape, np.nan)
    df = float(len(matrix) - matrix.shape[1])
    if not known.any():
        return Betas(values, names, residuals, df)
    labels, fits = run_glm(signals[:, known], matrix, noise_model=settings.noise_model)
    found, left = np.empty((len(columns), known.sum())), np.empty((len(signals), known.sum()))
    for label, fit in fits.items():
        where = labels == label
        found[:, where] = fit.theta[columns]
        left[:, where] = fit.whitened_residuals
    values[np.ix_([names.index(name) for name in inside], known)] = found
    residuals[:, known] = left
    return Betas(values, names, residuals, df)


def _seen(events: pd.DataFrame, times: np.ndarray) -> np.ndarray:
    """Which events have a frame in the time that they are answered, shape (n_events,)."""
    first = np.searchsorted(times, events["onset"].to_numpy(float) + _ANSWERED[0])
    after = np.searchsorted(times, events["stop"].to_numpy(float) + _ANSWERED[1], side="right")
    return np.asarray(after > first)


def _check_design(recording: str, matrix: np.ndarray) -> None:
    """Refuse designs without a unique solution, or without residuals."""
    n_frames, n_columns = matrix.shape
    lengths = np.linalg.norm(matrix, axis=0)
    if n_columns > n_frames - _LEAST_DF:
        raise UnfitRecordingError(
            f"the GLM of recording {recording} has {n_columns} regressors for {n_frames} frames",
            f"at least {_LEAST_DF} frames more than regressors",
            "take fewer folds (responses.n_folds), conditions or confounds, or leave the "
            "recording out",
        )
    rank = int(np.linalg.matrix_rank(matrix / np.where(lengths > 0, lengths, 1)))
    if rank < n_columns:
        raise UnfitRecordingError(
            f"the GLM of recording {recording} has {n_columns} regressors of rank {rank}",
            "regressors that are independent of each other and of the confounds",
            "leave out conditions that always come together (responses.exclude) and constant "
            "confounds",
        )


def _confounds(recording: Recording, settings: ResponseSettings) -> pd.DataFrame | None:
    if not settings.confounds:
        return None
    there = [] if recording.confounds is None else list(map(str, recording.confounds.data_vars))
    lacking = [name for name in settings.confounds if name not in there]
    if lacking:
        raise UnfitRecordingError(
            f"recording {recording.recording} has no confound {lacking[0]!r}",
            f"one of {', '.join(there) or 'none'}",
            "correct trsa.responses.confounds",
        )
    assert recording.confounds is not None
    values = {name: recording.confounds[name].values for name in settings.confounds}
    table = pd.DataFrame(values).astype(float)
    unknown = [name for name in table if table[name].isna().all()]
    if unknown:
        raise UnfitRecordingError(
            f"confound {unknown[0]!r} of recording {recording.recording} has no values",
            "numbers",
            "take it out of trsa.responses.confounds",
        )
    return table.fillna(table.mean())
