"""Null distributions by shuffling labels or shifting series, and the p values they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from neuropipe.errors import UnfitRecordingError

__all__ = [
    "Alternative",
    "circular_shift_null",
    "draw_shifts",
    "permutation_p_value",
    "permute_families",
    "permute_labels",
    "shift_columns",
]

Alternative = Literal["greater", "less", "two-sided"]


def permutation_p_value(
    observed: float | np.ndarray, null: np.ndarray, *, alternative: Alternative = "greater"
) -> np.ndarray:
    """P value of a statistic against randomly drawn permutations.

    Parameters
    ----------
    observed : float or array of shape (...)
        The statistic of the data.
    null : array of shape (n_permutations, ...)
        The statistic of every permutation.
    alternative : {"greater", "less", "two-sided"}
        Which deviations count; two-sided doubles the smaller tail.

    Returns
    -------
    array of shape (...)
        In [1 / (n_permutations + 1), 1]; NaN where the observed statistic is NaN.

    Raises
    ------
    ValueError
        If `null` holds no permutation.

    Notes
    -----
    p = (b + 1) / (m + 1): with b of m permutations at least as extreme. The data themselves count
    as one permutation, otherwise p could be 0 and the test would be too liberal (Phipson & Smyth
    2010). Undefined (NaN) permutations count as extreme.
    """
    values, draws = np.asarray(observed, float), np.asarray(null, float)
    if draws.ndim == 0 or len(draws) == 0:
        raise ValueError("a p value needs at least one permutation")
    n = len(draws)
    # A permutation equal to the data up to rounding is a tie, and a tie is extreme.
    slack = 1e-12 * np.maximum(1.0, np.abs(values))
    above = (1 + (~(draws < values - slack)).sum(axis=0)) / (n + 1)
    below = (1 + (~(draws > values + slack)).sum(axis=0)) / (n + 1)
    tails = {"greater": above, "less": below, "two-sided": 2 * np.minimum(above, below)}
    return np.where(np.isnan(values), np.nan, np.minimum(tails[alternative], 1.0))


def permute_labels(
    labels: Sequence[object] | np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
    *,
    blocks: Sequence[object] | np.ndarray | None = None,
) -> np.ndarray:
    """Shuffle labels, optionally only within blocks.

    Parameters
    ----------
    labels : sequence of length n_samples
        Labels or values.
    n_permutations : int
    rng : numpy.random.Generator
    blocks : sequence of length n_samples, optional
        Samples that may trade labels with each other: runs, sites, sessions.

    Returns
    -------
    array of shape (n_permutations, n_samples)
        Every row a permutation of `labels` within each block.
    """
    values = np.asarray(labels)
    names = np.zeros(len(values)) if blocks is None else np.asarray(blocks)
    shuffled = np.broadcast_to(values, (n_permutations, len(values))).copy()
    for block in np.unique(names):
        where = np.flatnonzero(names == block)
        order = np.argsort(rng.random((n_permutations, len(where))), axis=1)
        shuffled[:, where] = values[where][order]
    return shuffled


def permute_families(
    labels: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
    families: Sequence[object] | np.ndarray,
) -> np.ndarray:
    """Shuffle labels so that what siblings share by chance stays shared.

    Members of one family are alike in their features and often in their labels. Shuffled freely,
    labels would lose the second likeness and the null would be too narrow.

    Parameters
    ----------
    labels : array of shape (n_samples,)
    n_permutations : int
    rng : numpy.random.Generator
    families : sequence of length n_samples
        A sample without relatives is a family of one.

    Returns
    -------
    array of shape (n_permutations, n_samples)

    Notes
    -----
    Families of the same size trade their labels as wholes, and siblings among themselves (Winkler
    et al. 2015). Families of a size of their own only do the latter.
    """
    _, member = np.unique(np.asarray(families), return_inverse=True)
    sizes = np.bincount(member)
    shuffled = np.empty((n_permutations, len(labels)), dtype=labels.dtype)
    for size in np.unique(sizes):
        alike = np.flatnonzero(sizes == size)
        places = np.stack([np.flatnonzero(member == family) for family in alike])
        order = np.argsort(rng.random((n_permutations, len(alike))), axis=1)
        given = labels[places][order]  # permutation, family, sibling
        siblings = np.argsort(rng.random(given.shape), axis=2)
        shuffled[:, places] = np.take_along_axis(given, siblings, axis=2)
    return shuffled


def draw_shifts(
    n_times: int, size: int | tuple[int, ...], min_shift: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw circular shifts that move a series by at least `min_shift` either way.

    Parameters
    ----------
    n_times : int
        Length of the series.
    size : int or tuple of int
        Shape of the answer.
    min_shift : int
        Smallest shift in samples; longer than the autocorrelation.
    rng : numpy.random.Generator

    Returns
    -------
    array of int
        In [min_shift, n_times - min_shift].

    Raises
    ------
    UnfitRecordingError
        If the series is shorter than two smallest shifts.
    """
    if min_shift < 1 or 2 * min_shift > n_times:
        raise UnfitRecordingError(
            f"a smallest shift of {min_shift} samples in a series of {n_times}",
            "at least 1 and at most half of the series",
            "use a longer recording or a smaller shift",
        )
    return rng.integers(min_shift, n_times - min_shift + 1, size=size)


def shift_columns(series: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Shift every column of a series circularly by its own amount.

    Parameters
    ----------
    series : array of shape (n_times, n_units)
    shifts : array of int of shape (n_units,)
        In samples; the column moves towards later times.

    Returns
    -------
    array of shape (n_times, n_units)
    """
    rows = np.ascontiguousarray(series.T)
    doubled = np.concatenate([rows, rows], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(doubled, rows.shape[1], axis=1)
    starts = (-np.asarray(shifts)) % rows.shape[1]
    shifted: np.ndarray = windows[np.arange(len(rows)), starts].T
    return shifted


def circular_shift_null(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    x: np.ndarray,
    y: np.ndarray,
    *,
    n_permutations: int,
    min_shift: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Null distribution of a statistic of two series, one of which is shifted in time.

    Shifting keeps the autocorrelation of both series, which shuffling samples would destroy (and
    with it the honesty of the p value).

    Parameters
    ----------
    statistic : callable
        From ``(x, shifted y)`` to a number.
    x, y : arrays of shape (n_times, ...)
    n_permutations : int
    min_shift : int
        In samples; see `draw_shifts`.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (n_permutations,)

    Raises
    ------
    UnfitRecordingError
        If the series is shorter than two smallest shifts.
    """
    shifts = draw_shifts(len(y), n_permutations, min_shift, rng)
    return np.array([statistic(x, np.roll(y, int(shift), axis=0)) for shift in shifts])
