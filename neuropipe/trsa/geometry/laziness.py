"""How much learning changed a system: lazy, or rich.

For networks: tangent kernels, hidden patterns, weights, gates. For recordings: representations in
every session against the first. A lazy system keeps its kernels and moves its readout only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuropipe.errors import InputError
from neuropipe.trsa.geometry.alignment import Alignment, alignment
from neuropipe.trsa.geometry.arrays import condition_means
from neuropipe.trsa.geometry.dimensionality import (
    effective_rank,
    participation_ratio,
    spectrum,
)
from neuropipe.trsa.geometry.estimates import kernel_of
from neuropipe.trsa.geometry.kernels import kernel_alignment, linear_kernel

__all__ = [
    "SessionChange",
    "WeightChange",
    "gate_sign_changes",
    "relative_weight_change",
    "representation_alignment",
    "session_change",
    "singular_vector_overlap",
    "tangent_kernel_alignment",
    "task_alignment",
    "weight_change",
]


def tangent_kernel_alignment(before: np.ndarray, after: np.ndarray) -> float:
    """Cosine of the tangent kernels before and after learning, not centred.

    Parameters
    ----------
    before, after : arrays of shape (n, n)

    Returns
    -------
    float
        1: lazy, the network moved along fixed tangents. Lower: features changed.
    """
    return kernel_alignment(before, after, centre=False)


def representation_alignment(before: np.ndarray, after: np.ndarray) -> float:
    """Cosine of the Gram matrices of hidden patterns, not centred; shapes (n, n_hidden)."""
    return kernel_alignment(linear_kernel(before), linear_kernel(after), centre=False)


def relative_weight_change(before: np.ndarray, after: np.ndarray) -> float:
    """||W_T - W_0|| / ||W_0||, Frobenius norms; NaN if the first weights are zero."""
    size = np.linalg.norm(before)
    return float(np.linalg.norm(np.asarray(after) - before) / size) if size > 0 else float("nan")


def gate_sign_changes(before: np.ndarray, after: np.ndarray) -> float:
    """Share of ReLU gates that learning opened or closed.

    Parameters
    ----------
    before, after : arrays of shape (n, n_hidden)
        Inputs to the nonlinearity; a gate is open where they are positive.
    """
    return float(np.mean((np.asarray(before) > 0) != (np.asarray(after) > 0)))


def task_alignment(kernel: np.ndarray, labels: np.ndarray) -> float:
    """How much of a kernel serves the labels: y' K y / (||K|| y' y).

    Parameters
    ----------
    kernel : array of shape (n, n)
    labels : array of shape (n,) or (n, n_outputs)
        Several outputs add up above and below.

    Returns
    -------
    float
        0 to 1, for positive semi-definite kernels; NaN for kernels or labels of zero.
    """
    targets = np.asarray(labels, dtype=np.float64)
    if len(targets) != len(kernel):
        raise InputError(f"{len(targets)} labels for a kernel of {len(kernel)}", "one each", "trim")
    targets = targets.reshape(len(kernel), -1)
    size = np.linalg.norm(kernel) * (targets**2).sum()
    return float(((kernel @ targets) * targets).sum() / size) if size > 0 else float("nan")


def singular_vector_overlap(
    weights: np.ndarray, covariance: np.ndarray, n_vectors: int
) -> tuple[float, float]:
    """Share of the leading input directions of a layer that lie in the leading stimulus space.

    Parameters
    ----------
    weights : array of shape (n_outputs, n_inputs)
    covariance : array of shape (n_inputs, n_inputs)
        Of the stimuli, or of what drives the inputs.
    n_vectors : int
        Directions on both sides.

    Returns
    -------
    overlap, chance : float
        ||V' U||^2 / n_vectors, in [0, 1]; chance n_vectors / n_inputs.

    Raises
    ------
    InputError
        If the shapes do not fit, or there are not that many directions.
    """
    n_inputs = weights.shape[1]
    if covariance.shape != (n_inputs, n_inputs) or not 1 <= n_vectors <= min(weights.shape):
        raise InputError(
            f"{n_vectors} directions of weights {weights.shape}, covariance {covariance.shape}",
            "a covariance of the inputs, and no more directions than weights have",
            "choose fewer directions",
        )
    right = np.linalg.svd(weights, full_matrices=False)[2][:n_vectors]
    leading = np.linalg.eigh(covariance)[1][:, ::-1][:, :n_vectors]
    return float(((right @ leading) ** 2).sum() / n_vectors), n_vectors / n_inputs


@dataclass(frozen=True)
class WeightChange:
    """What learning did to one matrix of weights.

    Parameters
    ----------
    relative_change : float
        ||W_T - W_0|| / ||W_0||.
    rank_before, rank_after, rank_of_change : float
        Effective ranks of W_0, W_T and W_T - W_0 (entropy of singular values); the last is NaN
        where nothing changed.
    """

    relative_change: float
    rank_before: float
    rank_after: float
    rank_of_change: float


def weight_change(before: np.ndarray, after: np.ndarray) -> WeightChange:
    """Compare weights before and after learning, both of shape (n_outputs, n_inputs)."""
    ranks = [
        effective_rank(np.linalg.svd(w, compute_uv=False)) for w in (before, after, after - before)
    ]
    return WeightChange(relative_weight_change(before, after), *ranks)


@dataclass(frozen=True, eq=False)
class SessionChange:
    """Representations of the same conditions in several sessions, against the first.

    Parameters
    ----------
    sessions : tuple of str
    alignments : tuple of Alignment
        CKA of every session's kernel with that of the first; of the first with itself: 1. Units
        need not be the same ones.
    pattern_changes : array of shape (n_sessions,)
        ||X_k - X_1|| / ||X_1|| of the condition means; NaN where units differ in number.
    participation_ratios, effective_ranks : arrays of shape (n_sessions,)
        Of condition means; not corrected.
    """

    sessions: tuple[str, ...]
    alignments: tuple[Alignment, ...]
    pattern_changes: np.ndarray
    participation_ratios: np.ndarray
    effective_ranks: np.ndarray


def session_change(
    sessions: Mapping[str, np.ndarray],
    *,
    n_resamples: int = 1000,
    n_splits: int = 20,
    seed: int = 0,
) -> SessionChange:
    """Measure how far representations moved since the first session.

    Parameters
    ----------
    sessions : mapping of str to array of shape (n_repeats, n_conditions, n_units)
        In order of time, at least one. With four repeats or more the noise of the trials is
        corrected for; with fewer, alignment falls short of 1 for unchanged representations too.
    n_resamples : int
        Of conditions.
    n_splits : int
        Of repeats.
    seed : int

    Returns
    -------
    SessionChange

    Raises
    ------
    InputError
        If there is no session.

    Notes
    -----
    Tangent kernels are not known for a brain: representation alignment stands for them (design
    choice). Pattern changes are not corrected for noise and need the same units.
    """
    if not sessions:
        raise InputError("no session", "at least one", "add sessions")
    names = tuple(sessions)
    kernels = [kernel_of(values, n_splits=n_splits, seed=seed) for values in sessions.values()]
    means = [condition_means(values) for values in sessions.values()]
    changes = [
        relative_weight_change(means[0], m) if m.shape == means[0].shape else float("nan")
        for m in means
    ]
    n = len(means[0])
    own = Alignment(1.0, 1.0 if n > 3 else float("nan"), np.ones((2, n_resamples)))
    later = [alignment(kernels[0], k, n_resamples=n_resamples, seed=seed) for k in kernels[1:]]
    return SessionChange(
        sessions=names,
        alignments=(own, *later),
        pattern_changes=np.array(changes),
        participation_ratios=np.array([participation_ratio(m) for m in means]),
        effective_ranks=np.array([effective_rank(spectrum(m)) for m in means]),
    )
