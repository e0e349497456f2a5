"""Alignment of representations with the input and with the target: where a layer or area stands.

Axes: s steps (layers, areas, sessions, epochs), n conditions, b resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuropipe.stats.resampling import Interval, bootstrap_weights, percentile_interval
from neuropipe.trsa.geometry.arrays import complete
from neuropipe.trsa.geometry.estimates import KernelEstimate, kernel_of
from neuropipe.trsa.geometry.kernels import cka, linear_kernel

__all__ = ["Alignment", "Trajectory", "alignment", "alignment_trajectory", "half_alignment"]


@dataclass(frozen=True, eq=False)
class Alignment:
    """How alike two kernels are.

    Parameters
    ----------
    plain : float
        From the V statistic; large by itself when units outnumber conditions. Noise of the trials
        is corrected for where there are repeats.
    debiased : float
        From the U statistic over distinct conditions; NaN for fewer than four.
    draws : array of shape (2, n_resamples)
        Both in every bootstrap sample of conditions.
    """

    plain: float
    debiased: float
    draws: np.ndarray

    @property
    def interval(self) -> Interval:
        """Interval of `plain` over conditions."""
        return _interval(self.draws[0])

    @property
    def debiased_interval(self) -> Interval:
        """Interval of `debiased` over conditions."""
        return _interval(self.draws[1])


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Alignment with the input and the target, step by step.

    Parameters
    ----------
    steps : tuple of str
        Layers, areas, sessions or epochs, in order.
    inputs, targets : tuple of Alignment
        Of every step. Their draws rest on the same resamples of conditions.
    """

    steps: tuple[str, ...]
    inputs: tuple[Alignment, ...]
    targets: tuple[Alignment, ...]

    def points(self, *, debiased: bool = False) -> np.ndarray:
        """Coordinates (a_in, a_out), shape (n_steps, 2)."""
        sides = self.inputs, self.targets
        return np.array([[a.debiased if debiased else a.plain for a in side] for side in sides]).T

    def covariances(self, *, debiased: bool = False) -> np.ndarray:
        """Covariance of both coordinates over resamples, shape (n_steps, 2, 2): the ellipses.

        NaN where hardly a resample is known.
        """
        found = []
        for one, two in zip(self.inputs, self.targets, strict=True):
            draws = np.stack([one.draws[int(debiased)], two.draws[int(debiased)]])
            known = draws[:, np.isfinite(draws).all(axis=0)]
            found.append(np.cov(known) if known.shape[1] > 2 else np.full((2, 2), np.nan))
        return np.array(found)


def alignment(
    first: KernelEstimate,
    second: KernelEstimate,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
    weights: np.ndarray | None = None,
) -> Alignment:
    """Align two kernels, with a bootstrap over conditions.

    Parameters
    ----------
    first, second : KernelEstimate
        Of the same conditions, with independent noise; see `kernel_of`.
    n_resamples : int
    seed : int
    weights : array of shape (n_resamples, n_conditions), optional
        Resamples to use instead of drawing them.

    Returns
    -------
    Alignment
    """
    if weights is None:
        n = len(first.matrix)
        weights = bootstrap_weights(n, n_resamples, np.random.default_rng(seed))
    return Alignment(
        plain=float(first.align(second, unbiased=False)),
        debiased=float(first.align(second)),
        draws=np.stack([first.align(second, weights, unbiased=u) for u in (False, True)]),
    )


def alignment_trajectory(
    representations: Mapping[str, np.ndarray],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    n_resamples: int = 1000,
    n_splits: int = 20,
    seed: int = 0,
) -> Trajectory:
    """Follow a representation from the input to the target.

    Parameters
    ----------
    representations : mapping of str to array
        (n_conditions, n_units), or (n_repeats, n_conditions, n_units) where noise is to be
        corrected for; steps may differ in their units and repeats.
    inputs : array of shape (n_conditions, n_features)
        Input patterns.
    targets : array of shape (n_conditions,) or (n_conditions, n_targets)
        Labels or other outputs.
    n_resamples : int
        Of conditions; the same for all steps.
    n_splits : int
        Of the repeats.
    seed : int

    Returns
    -------
    Trajectory

    Notes
    -----
    Plane of Alleman, Lindsey & Fusi 2024: kernel alignment with the input and with the labels.
    """
    references = [KernelEstimate(linear_kernel(side)) for side in (inputs, targets)]
    n = len(references[0].matrix)
    weights = bootstrap_weights(n, n_resamples, np.random.default_rng(seed))
    sides: tuple[list[Alignment], list[Alignment]] = ([], [])
    for values in representations.values():
        kernel = kernel_of(values, n_splits=n_splits, seed=seed)
        for side, reference in zip(sides, references, strict=True):
            side.append(alignment(kernel, reference, weights=weights))
    return Trajectory(tuple(representations), tuple(sides[0]), tuple(sides[1]))


def half_alignment(
    values: np.ndarray, *, n_splits: int = 50, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Alignment of the mean-pattern kernels of two halves of the repeats: their reliability.

    Parameters
    ----------
    values : array of shape (n_repeats, n_conditions, n_units)
    n_splits : int
    seed : int

    Returns
    -------
    plain, debiased : arrays of shape (n_splits,)
        NaN for splits that leave a condition out of one half.
    """
    trials = complete(values)
    rng = np.random.default_rng(seed)
    found = np.full((2, n_splits), np.nan)
    for s in range(n_splits):
        order = rng.permutation(len(trials))
        halves = [trials[half] for half in np.array_split(order, 2)]
        if all(len(h) and np.isfinite(h[:, :, 0]).any(axis=0).all() for h in halves):
            one, two = (linear_kernel(np.nanmean(half, axis=0)) for half in halves)
            found[:, s] = [cka(one, two, unbiased=u) for u in (False, True)]
    return found[0], found[1]


def _interval(draws: np.ndarray) -> Interval:
    if not np.isfinite(draws).any():
        return (float("nan"), float("nan"))
    return percentile_interval(draws)
