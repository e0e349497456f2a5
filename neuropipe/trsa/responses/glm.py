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


@dataclass(frozen=True, eq=False)
class Betas:
    """Estimates of one run.

    Parameters
    ----------
    values : array of shape (n_regressors, n_units)
        NaN for units that miss a frame or never change.
    names : list of str
        Of the regressors of interest.
    residuals : array of shape (n_times, n_units)
        Whitened by the autocorrelation model, in the scale of the estimates' noise.
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
        If there are no signals, a confound is missing, or regressors are not independent.

    Notes
    -----
    nilearn's first-level model: events convolved with the hemodynamic response, cosine drifts, a
    constant, autoregressive noise of order one, fitted for groups of units of like autocorrelation.
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
    # nilearn wants identifiers, and would change other names.
    regressors = {name: f"condition_{k:05d}" for k, name in enumerate(names)}
    table = pd.DataFrame(
        {
            "onset": events["onset"],
            "duration": (events["stop"] - events["onset"]).clip(lower=0),
            "trial_type": [regressors[name] for name in events["condition"]],
        }
    )
    confounds = _confounds(recording, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of events before the first frame: their part counts
        design = make_first_level_design_matrix(
            times,
            table,
            hrf_model=settings.hrf,
            drift_model="cosine" if settings.high_pass > 0 else None,
            high_pass=settings.high_pass,
            add_regs=None if confounds is None else confounds.to_numpy(),
            add_reg_names=None if confounds is None else list(confounds),
        )
    columns = [design.columns.get_loc(regressor) for regressor in regressors.values()]
    matrix = design.to_numpy(float)
    rank = int(np.linalg.matrix_rank(matrix / np.linalg.norm(matrix, axis=0)))
    if rank < matrix.shape[1] or rank >= len(matrix) - 2:
        raise UnfitRecordingError(
            f"the GLM of recording {recording.recording} has {matrix.shape[1]} regressors of rank "
            f"{rank} for {len(matrix)} frames",
            "independent regressors, and fewer of them than frames",
            "take fewer folds or conditions, or set a window",
        )
    known = np.isfinite(signals).all(axis=0) & (np.ptp(signals, axis=0) > 0)
    values = np.full((len(names), signals.shape[1]), np.nan)
    residuals = np.full(signals.shape, np.nan)
    labels, fits = run_glm(signals[:, known], matrix, noise_model=settings.noise_model)
    found, left = np.empty((len(names), known.sum())), np.empty((len(signals), known.sum()))
    for label, fit in fits.items():
        where = labels == label
        found[:, where] = fit.theta[columns]
        left[:, where] = fit.whitened_residuals
    values[:, known], residuals[:, known] = found, left
    return Betas(values, names, residuals, float(len(matrix) - rank))


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
    return table.fillna(table.mean())
