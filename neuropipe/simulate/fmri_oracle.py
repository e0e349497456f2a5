"""What the best possible predictors of simulated fMRI reach: covariances and conditional means.

The factors are Gaussian and their spectra known, so the covariance of all samples of a segment can
be written down: of one state (the state-aware oracle), and averaged over the states (all that a
linear model can use).
"""

from __future__ import annotations

import numpy as np

from neuropipe.simulate.fmri import STEP, Population, process_length
from neuropipe.simulate.processes import autocovariance, bold_spectrum
from neuropipe.simulate.settings import FmriSimulation


def segment_covariance(
    settings: FmriSimulation,
    shared: Population,
    times: np.ndarray,
    *,
    state: int | None = None,
    loadings: np.ndarray | None = None,
) -> np.ndarray:
    """Covariance of all samples of a segment in which the state does not change.

    Parameters
    ----------
    settings : FmriSimulation
        With ``y_fc`` 0 and no task blocks: the labels' effects are left out.
    shared : Population
    times : array of shape (n_times,)
        Of the samples, in s; only their differences matter.
    state : int, optional
        The state; the average over all states when None.
    loadings : array of shape (n_rois, n_networks), optional
        Of one subject; the expectation over subjects when None.

    Returns
    -------
    array of shape (n_rois * n_times, n_rois * n_times)
        Sample t of ROI i stands at ``i * n_times + t``.
    """
    n_rois, n_times = len(shared.delays), len(times)
    spatial = _spatial_covariance(settings, shared, loadings)
    spatial = spatial.mean(axis=0) if state is None else spatial[state]
    n_samples = process_length(settings)
    slow = autocovariance(bold_spectrum(n_samples, STEP), n_samples)
    delayed = times[None, :] - shared.delays[:, None]
    lags = np.abs(delayed.reshape(-1, 1) - delayed.reshape(1, -1))
    covariance = np.repeat(np.repeat(spatial, n_times, axis=0), n_times, axis=1)
    covariance *= _by_lag(slow, lags)
    steps = np.abs(times[:, None] - times[None, :])
    if settings.noise == "matched":
        noise = _by_lag(slow, steps)
    else:
        noise = np.exp(-steps / settings.noise_time_constant)
    for i in range(n_rois):
        own = slice(i * n_times, (i + 1) * n_times)
        covariance[own, own] += shared.noise_sd**2 * noise
    return np.asarray(covariance)


def spatial_covariance(
    settings: FmriSimulation,
    shared: Population,
    *,
    state: int | None = None,
    loadings: np.ndarray | None = None,
) -> np.ndarray:
    """Covariance of the ROIs at one moment; arguments as in `segment_covariance`.

    Returns
    -------
    array of shape (n_rois, n_rois)
        What static FC estimates, when averaged over states.
    """
    return segment_covariance(settings, shared, np.zeros(1), state=state, loadings=loadings)


def conditional_mean(covariance: np.ndarray, visible: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Predict hidden entries of zero-mean Gaussian vectors from visible ones (Wiener filter).

    Parameters
    ----------
    covariance : array of shape (n_entries, n_entries)
    visible : array of bool of shape (n_entries,)
    values : array of shape (n_vectors, n_entries)
        Hidden entries are not looked at.

    Returns
    -------
    array of shape (n_vectors, n_hidden)
        E[x_hidden | x_visible] = C_hv C_vv^-1 x_visible.
    """
    cross = covariance[np.ix_(~visible, visible)]
    weights = np.linalg.solve(covariance[np.ix_(visible, visible)], cross.T)
    return np.asarray(values[:, visible] @ weights)


def masked_r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of variance explained about zero, over all entries."""
    return float(1 - ((truth - predicted) ** 2).sum() / (truth**2).sum())


def state_likelihood(covariances: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Log-likelihood of each state's covariance for the samples of each segment.

    Parameters
    ----------
    covariances : array of shape (n_states, n_rois, n_rois)
    segments : array of shape (n_segments, n_times, n_rois)
        Samples are taken as independent, which finds the best state but overstates certainty.

    Returns
    -------
    array of shape (n_segments, n_states)
        Up to a constant.
    """
    scores = np.empty((len(segments), len(covariances)))
    for state, covariance in enumerate(covariances):
        precision = np.linalg.inv(covariance)
        distance = np.einsum("sti,ij,stj->s", segments, precision, segments, optimize=True)
        determinant = np.linalg.slogdet(covariance)[1]
        scores[:, state] = -(distance + segments.shape[1] * determinant) / 2
    return scores


def _spatial_covariance(
    settings: FmriSimulation, shared: Population, loadings: np.ndarray | None
) -> np.ndarray:
    """Signal covariance (n_states, n_rois, n_rois) at equal times and without delays."""
    mixing = shared.mixing(shared.loadings if loadings is None else loadings)
    covariance = np.einsum("sik,sjk->sij", mixing, mixing)
    if loadings is None:
        # Deviations are independent over ROIs: they add variance, tr(C_s) sd^2 = n_networks sd^2.
        own = settings.subject_loading**2 * mixing.shape[2]
        covariance += own * np.eye(mixing.shape[1])
    return np.asarray(covariance)


def _by_lag(by_sample: np.ndarray, lags: np.ndarray) -> np.ndarray:
    return np.asarray(np.interp(lags, np.arange(len(by_sample)) * STEP, by_sample))
