"""fMRI of a cohort whose networks, hidden states and labels are known: arrays only.

x_i(t) = sum_n L_in(s(t)) [A_s(t) w(t - d_i)]_n + label effects + noise, where w are independent
slow factors after the haemodynamic response, A_s A_s^T is state s's covariance between networks,
L are loadings and d_i a ROI's delay. The state acts on the haemodynamic level, at one moment for
all ROIs: so the covariance averaged over time depends on the states' shares of time alone, and a
label that changes only dwell times or their order leaves no trace in static FC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.simulate.atlas import NETWORKS, roi_table
from neuropipe.simulate.processes import (
    ar1_spectrum,
    bold_spectrum,
    gaussian_process,
    hrf,
    stream,
)
from neuropipe.simulate.settings import FmriSimulation
from neuropipe.simulate.states import dynamics_of, state_path

STEP = 0.1  # s, grid of the factors
_PAD = 120.0  # s beyond the run, because the processes are circular
_MEAN_RESPONSE = 0.8  # amplitude of the task response that all subjects share
_POPULATION, _LABELS, _LOADINGS, _SERIES, _FAMILY = range(5)  # purposes of random streams


@dataclass(frozen=True)
class Population:
    """What all subjects share.

    Parameters
    ----------
    rois : pandas.DataFrame
        See `neuropipe.simulate.atlas.roi_table`.
    networks, subnetworks : array of int of shape (n_rois,)
        Network of each ROI (0 to 6), and its sub-network (numbered through).
    loadings : array of shape (n_rois, n_networks)
        Of each ROI on each network's factor.
    signs : array of shape (n_states, n_rois)
        +1 or -1: sign of the loadings in each state.
    covariances : array of shape (n_states, n_networks, n_networks)
        Correlation between the networks in each state.
    delays : array of shape (n_rois,)
        In s.
    edge_pattern : array of shape (n_rois,)
        Weights of the factor that label ``y_fc`` adds.
    block_response, block_difference : array of shape (n_rois,)
        Response to a task block, and what ``y_block`` adds (1) or subtracts (0).
    noise_sd : float
        Standard deviation of the noise, from the variance of the networks' signal (without what
        labels and tasks add).
    """

    rois: pd.DataFrame
    networks: np.ndarray
    subnetworks: np.ndarray
    loadings: np.ndarray
    signs: np.ndarray
    covariances: np.ndarray
    delays: np.ndarray
    edge_pattern: np.ndarray
    block_response: np.ndarray
    block_difference: np.ndarray
    noise_sd: float

    def mixing(self, loadings: np.ndarray) -> np.ndarray:
        """Weights of the independent factors in each state.

        Parameters
        ----------
        loadings : array of shape (n_rois, n_networks)
            Of the population or of one subject.

        Returns
        -------
        array of shape (n_states, n_rois, n_networks)
        """
        roots = np.linalg.cholesky(self.covariances)
        return np.asarray(self.signs[:, :, None] * (loadings @ roots))


@dataclass(frozen=True)
class FmriData:
    """Series and truth of one run of some subjects.

    Parameters
    ----------
    bold : array of float32 of shape (n_subjects, n_volumes, n_rois)
        Signal plus noise, in units of the network factors' standard deviation.
    states : array of int8 of shape (n_subjects, n_volumes)
    loadings : array of shape (n_subjects, n_rois, n_networks)
        Each subject's own.
    signal_to_noise : array of shape (n_subjects,)
        Realised variance of signal over noise, mean over ROIs.
    times : array of shape (n_volumes,)
        In s.
    regressor : array of shape (n_volumes,)
        Haemodynamic response to the task blocks, maximum 1; zero at rest.
    participants : pandas.DataFrame
        One row a subject; see `participants`.
    population : Population
    """

    bold: np.ndarray
    states: np.ndarray
    loadings: np.ndarray
    signal_to_noise: np.ndarray
    times: np.ndarray
    regressor: np.ndarray
    participants: pd.DataFrame
    population: Population


def participants(settings: FmriSimulation) -> pd.DataFrame:
    """Draw the participants' table.

    Returns
    -------
    pandas.DataFrame
        ``participant_id``, ``family_id``, ``age`` (years) and ``sex`` (unrelated to the data), and
        balanced labels 0/1: ``y_fc``, ``y_dyn``, ``y_block``; ``y_permuted`` (``y_fc`` shuffled:
        carries nothing); ``y_family`` (the same within a family and unrelated to anything else:
        only a split that puts siblings on both sides finds it).
    """
    n, rng = settings.n_subjects, stream(settings.seed, _LABELS)
    width = max(2, len(str(n)))
    family = np.arange(n) // settings.family_size
    n_families = int(family[-1]) + 1
    table = pd.DataFrame({"participant_id": [f"sub-{k:0{width}d}" for k in range(1, n + 1)]})
    table["family_id"] = [f"F{k + 1:0{width}d}" for k in family]
    table["age"] = rng.integers(20, 80, size=n)
    table["sex"] = rng.choice(["F", "M"], size=n)
    for name in ("y_fc", "y_dyn", "y_block"):
        table[name] = _balanced(n, rng)
    table["y_permuted"] = rng.permutation(table["y_fc"].to_numpy())
    table["y_family"] = _balanced(n_families, rng)[family]
    return table


def population(settings: FmriSimulation) -> Population:
    """Draw what all subjects share: networks, loadings, states, delays and label patterns."""
    rng = stream(settings.seed, _POPULATION)
    rois = roi_table(settings.n_rois)
    networks = np.array([NETWORKS.index(name) for name in rois["network"]])
    n, k = settings.n_rois, len(NETWORKS)
    rank = np.array([(networks[:i] == networks[i]).sum() for i in range(n)])
    subnetworks = networks * settings.n_subnetworks + rank % settings.n_subnetworks
    loadings = 0.1 * rng.standard_normal((n, k))
    loadings[np.arange(n), networks] = rng.uniform(0.7, 1.1, size=n)
    n_states = 1 if settings.switching == "none" else settings.n_states
    covariances = np.stack([_correlation(k, rng) for _ in range(n_states)])
    signs = np.ones((n_states, n))
    if settings.switching == "loadings":
        signs = _signs(n_states, k * settings.n_subnetworks, rng)[:, subnetworks]
    edge_pattern = np.zeros(n)
    members = rng.permutation(n)[: max(8, n // 8)]
    edge_pattern[members] = settings.y_fc * rng.choice([-1.0, 1.0], size=len(members))
    response = np.select(
        [np.isin(networks, (0, 2)), networks == NETWORKS.index("Default")], [1.0, -0.6]
    )
    difference = np.zeros(n)
    responders = rng.permutation(n)[: n // 4]
    difference[responders] = rng.choice([-0.5, 0.5], size=len(responders))
    deviation = settings.subject_loading**2 * k
    variance = np.einsum("in,snm,im->si", loadings, covariances, loadings).mean() + deviation
    return Population(
        rois=rois,
        networks=networks,
        subnetworks=subnetworks,
        loadings=loadings,
        signs=signs,
        covariances=covariances,
        delays=settings.delay_jitter * rng.standard_normal(n),
        edge_pattern=edge_pattern,
        block_response=_MEAN_RESPONSE * response,
        block_difference=settings.y_block * difference,
        noise_sd=float(np.sqrt(variance / settings.snr)),
    )


def block_onsets(settings: FmriSimulation) -> np.ndarray:
    """Onsets of the task blocks in s: spread over the run, on multiples of 15 s if they fit."""
    if not settings.n_blocks:
        return np.empty(0)
    period = settings.duration / settings.n_blocks
    start = np.arange(settings.n_blocks) * period
    onset = np.round((start + (period - settings.block_duration) / 2) / 15) * 15
    return np.clip(onset, start, start + period - settings.block_duration)


def sim_fmri(
    settings: FmriSimulation, *, run: int = 0, subjects: Sequence[int] | None = None
) -> FmriData:
    """Simulate one run of a cohort.

    Parameters
    ----------
    settings : FmriSimulation
    run : int
        From 0; loadings and labels are the same in all runs, factors, states and noise are not.
    subjects : sequence of int, optional
        Which subjects, from 0; all by default. A subject is the same whoever else is asked for.

    Returns
    -------
    FmriData

    Notes
    -----
    Specified in the BrainMAE validation plan: 7 networks of the sizes of Yeo-7, factors of
    0.01 to 0.1 Hz convolved with a canonical haemodynamic response, delays of 0.5 s (sd), subject
    loadings (sd 0.15), AR(1) noise, 5 hidden states that last 15 to 45 s.
    """
    shared, table = population(settings), participants(settings)
    chosen = list(range(settings.n_subjects)) if subjects is None else list(subjects)
    times = np.arange(settings.n_volumes) * settings.repetition_time
    regressor = _regressor(settings, times)
    n_samples = process_length(settings)
    sampler = _Sampler(times[:, None] - shared.delays, n_samples)
    spectrum = bold_spectrum(n_samples, STEP)
    shape = (len(chosen), settings.n_volumes, settings.n_rois)
    bold = np.empty(shape, dtype=np.float32)
    states = np.zeros(shape[:2], dtype=np.int8)
    ratio = np.empty(len(chosen))
    loadings = np.stack([_subject_loadings(settings, shared, subject) for subject in chosen])
    for row, subject in enumerate(chosen):
        rng = stream(settings.seed, _SERIES, subject, run)
        labels = table.iloc[subject]
        if settings.switching != "none":
            dwell, order = dynamics_of(int(labels["y_dyn"]), settings.y_dyn, settings.dwell)
            path = state_path(
                settings.n_states, settings.duration + 1, STEP, dwell, rng, order=order
            )
            states[row] = path[np.round(times / STEP).astype(int)]
        factors = gaussian_process(spectrum, n_samples, len(NETWORKS), rng)
        mixing = shared.mixing(loadings[row]).astype(np.float32)
        signal = np.einsum("tik,tik->ti", sampler(factors), mixing[states[row]])
        signal += _edges(shared.edge_pattern, int(labels["y_fc"]), settings, rng)
        side = 2 * int(labels["y_block"]) - 1
        signal += np.outer(regressor, shared.block_response + side * shared.block_difference)
        noise = shared.noise_sd * _noise(settings, rng)
        bold[row] = signal + noise
        ratio[row] = signal.var(axis=0).mean() / noise.var(axis=0).mean()
    rows = table.iloc[chosen].reset_index(drop=True)
    return FmriData(bold, states, loadings, ratio, times, regressor, rows, shared)


def process_length(settings: FmriSimulation) -> int:
    """Samples of the circular factor processes on the 0.1 s grid (a multiple of 500: fast FFT)."""
    return int(np.ceil((settings.duration + _PAD) / STEP / 500)) * 500


class _Sampler:
    """Read factors at each ROI's delayed times, by linear interpolation between grid samples."""

    def __init__(self, times: np.ndarray, n_samples: int) -> None:
        place = np.mod(times / STEP, n_samples)
        self._before = place.astype(int) % n_samples
        self._share = (place - np.floor(place)).astype(np.float32)[..., None]

    def __call__(self, factors: np.ndarray) -> np.ndarray:
        """Sample factors (n_samples, n_factors) as (n_times, n_rois, n_factors)."""
        values = factors.astype(np.float32)
        steps = np.roll(values, -1, axis=0) - values
        delayed = steps.take(self._before, axis=0)
        delayed *= self._share
        delayed += values.take(self._before, axis=0)
        return delayed


def _subject_loadings(settings: FmriSimulation, shared: Population, subject: int) -> np.ndarray:
    own = stream(settings.seed, _LOADINGS, subject).standard_normal(shared.loadings.shape)
    if settings.family_size > 1:
        family = stream(settings.seed, _FAMILY, subject // settings.family_size)
        common = family.standard_normal(shared.loadings.shape)
        share = settings.family_share
        own = np.sqrt(share) * common + np.sqrt(1 - share) * own
    return np.asarray(shared.loadings + settings.subject_loading * own)


def _edges(
    pattern: np.ndarray, label: int, settings: FmriSimulation, rng: np.random.Generator
) -> np.ndarray:
    """Series of label ``y_fc``: its ROIs share one factor (1), or have one each (0).

    Variance and spectrum are the same, so the label changes correlations only.
    """
    series = np.zeros((settings.n_volumes, settings.n_rois))
    members = np.flatnonzero(pattern)
    if len(members):
        drawn = _slow_series(settings, len(members), rng)
        series[:, members] = pattern[members] * (drawn[:, :1] if label else drawn)
    return series


def _noise(settings: FmriSimulation, rng: np.random.Generator) -> np.ndarray:
    if settings.noise == "matched":
        return _slow_series(settings, settings.n_rois, rng)
    n_samples = _volumes_with_pad(settings)
    spectrum = ar1_spectrum(n_samples, settings.repetition_time, settings.noise_time_constant)
    return gaussian_process(spectrum, n_samples, settings.n_rois, rng)[: settings.n_volumes]


def _slow_series(settings: FmriSimulation, n_series: int, rng: np.random.Generator) -> np.ndarray:
    """Independent series with the spectrum of the factors, at the times of the volumes."""
    n_samples = _volumes_with_pad(settings)
    spectrum = bold_spectrum(n_samples, settings.repetition_time)
    return gaussian_process(spectrum, n_samples, n_series, rng)[: settings.n_volumes]


def _volumes_with_pad(settings: FmriSimulation) -> int:
    return int(np.ceil((settings.n_volumes + _PAD / settings.repetition_time) / 20)) * 20


def _regressor(settings: FmriSimulation, times: np.ndarray) -> np.ndarray:
    onsets = block_onsets(settings)
    if not len(onsets):
        return np.zeros(len(times))
    grid = np.arange(0, settings.duration + 1, STEP)
    active = ((grid[:, None] >= onsets) & (grid[:, None] < onsets + settings.block_duration)).any(1)
    response = np.convolve(active.astype(float), hrf(STEP))[: len(grid)]
    return np.asarray(np.interp(times, grid, response / response.max()))


def _balanced(n: int, rng: np.random.Generator) -> np.ndarray:
    labels = np.zeros(n, dtype=int)
    labels[: n // 2] = 1
    return rng.permutation(labels)


def _correlation(n: int, rng: np.random.Generator) -> np.ndarray:
    """Random correlation matrix of rank-3 structure plus own variance (mean |r| about 0.4)."""
    root = rng.standard_normal((n, 3))
    covariance = root @ root.T + np.eye(n)
    scale = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(scale, scale))


def _signs(n_states: int, n_subnetworks: int, rng: np.random.Generator) -> np.ndarray:
    """Signs of each sub-network: in two fifths of the states, drawn for each, it is turned over."""
    signs = np.ones((n_states, n_subnetworks))
    n_turned = max(1, (2 * n_states) // 5)
    for column in range(n_subnetworks):
        signs[rng.permutation(n_states)[:n_turned], column] = -1
    return signs
