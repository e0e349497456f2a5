"""Baselines that factorise a tensor: ours with absent units as zeros, and TCA of the traces.

Axis legend: w animals, n units, t frames, k windows, r components.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuropipe.connectome.restarts import fit_starts
from neuropipe.connectome.settings import AffinitySettings, FactorizationSettings
from neuropipe.connectome.tensor import tensor_source
from neuropipe.connectome.windows import window_affinity

__all__ = ["factorized_affinity", "tca_partitions"]

_MOST_ITERATIONS = 200


def factorized_affinity(
    traces: np.ndarray,
    sampling_rate: float,
    bounds: np.ndarray,
    *,
    masked: bool,
    rank: int,
    n_starts: int = 2,
    max_iterations: int = _MOST_ITERATIONS,
    seed: int = 0,
) -> list[np.ndarray]:
    """Affinity of each window as a factorization sees it.

    Parameters
    ----------
    traces : array of shape (w, n, t)
        NaN where the animal lacks the unit.
    sampling_rate : float
        In Hz.
    bounds : array of int of shape (k, 2)
        Start and stop of each window, in frames.
    masked : bool
        False counts absent units as units that never change: the fault that masks are there for.
    rank, n_starts, max_iterations, seed : int
        See `restarts.fit_starts`; the start with the least error counts.

    Returns
    -------
    list of k arrays of shape (n, n)
    """
    presence = np.isfinite(traces).any(axis=-1)
    source = tensor_source(
        traces,
        presence if masked else np.ones_like(presence),
        sampling_rate,
        AffinitySettings(),
        FactorizationSettings(),
    )
    best, *_ = fit_starts(source, rank, n_starts, max_iterations=max_iterations, seed=seed)
    inside = [(source.frames >= start) & (source.frames < stop) for start, stop in bounds]
    return [
        window_affinity(best.pairs, best.coactivity(), source.n_units, samples)
        for samples in inside
    ]


def tca_partitions(
    parts: Sequence[np.ndarray], *, rank: int, bin_frames: int = 1, seed: int = 0
) -> np.ndarray:
    """Communities by non-negative tensor component analysis of units x time x trials.

    Parameters
    ----------
    parts : sequence of k arrays of shape (w, n, t)
        Traces of each window, cut to the shortest one. A trial is a window of an animal.
    rank : int
    bin_frames : int
        Frames that are averaged to one sample.
    seed : int

    Returns
    -------
    array of int of shape (k, n)
        Component of which the unit has most, each weighted by its mean over the window's trials.

    Notes
    -----
    Williams et al. 2018 (Neuron 98, 1099); factorised by tensorly, which imputes what is masked.
    Traces count above their median in the trial, in SDs over all trials: what never is below 0
    otherwise carries a baseline that takes up the components.
    """
    from tensorly.decomposition import non_negative_parafac

    length = min(part.shape[-1] for part in parts) // bin_frames
    trials = np.concatenate([part[..., : length * bin_frames] for part in parts]).astype(float)
    binned = trials.reshape(*trials.shape[:2], length, bin_frames).mean(axis=-1)
    known = np.isfinite(binned).all(axis=-1, keepdims=True)
    filled = np.where(known, binned, 0)
    above = np.maximum(filled - np.median(filled, axis=-1, keepdims=True), 0)
    present = np.broadcast_to(known, above.shape)
    count = np.maximum(present.sum(axis=(0, 2), keepdims=True), 1)
    mean = above.sum(axis=(0, 2), keepdims=True) / count
    variance = np.where(present, (above - mean) ** 2, 0).sum(axis=(0, 2), keepdims=True) / count
    scaled = above / np.sqrt(np.where(variance > 0, variance, 1))
    found = non_negative_parafac(
        np.moveaxis(scaled, 0, -1),
        rank,
        n_iter_max=_MOST_ITERATIONS,
        init="random",
        mask=None if present.all() else np.moveaxis(present, 0, -1).astype(float),
        random_state=seed,
    )
    units, times, shares = found.factors
    level = shares.reshape(len(parts), -1, rank).mean(axis=1)
    level = level * found.weights * np.linalg.norm(times, axis=0)
    return np.asarray(np.argmax(units * level[:, None], axis=-1))
