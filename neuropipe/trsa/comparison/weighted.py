"""Comparisons of RDMs in which every pair of conditions has a weight.

A bootstrap over conditions draws condition c ``k_c`` times. Without the pairs of a condition with
itself, the resampled RDM is the original one in which pair (i, j) stands ``k_i k_j`` times: so
every resample is a weighting of the original pairs, all of them share one sort order of each RDM,
and all sums over pairs are matrix products.

Axes: d draws, i and k RDMs of both sides, p pairs.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from neuropipe.errors import InputError
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.rdms import n_conditions_of, square, vectors

__all__ = [
    "CENTRED",
    "FAST",
    "RANKED",
    "compare_draws",
    "in_chunks",
    "known_pairs",
    "pair_weights",
    "sort_orders",
    "standardised",
    "weighted_compare",
    "weighted_ranks",
]

#: Measures that weights suffice for; others see every resample spelt out.
FAST = ("cosine", "corr", "spearman", "rho-a", "tau-a", "tau-b")
RANKED = ("spearman", "rho-a", "tau-a", "tau-b")
#: Measures that adding a constant to a RDM does not change.
CENTRED = ("corr", "corr_cov", *RANKED)

_MEMORY = 2e8  # bytes of the arrays of one chunk of draws
_COLUMNS = 256  # of one matrix product
_CONSTANT = 1e-12  # share of the mean square below which a variance is rounding


def known_pairs(*dissimilarities: np.ndarray) -> np.ndarray:
    """Find the pairs of conditions that all RDMs know, shape (n_pairs,).

    Notes
    -----
    One mask for all: a pair that is NaN anywhere has weight 0 everywhere, so that all scores of an
    analysis rest on the same pairs.
    """
    masks = [np.isfinite(np.atleast_2d(values)).all(axis=0) for values in dissimilarities]
    return np.asarray(np.logical_and.reduce(masks))


def pair_weights(counts: np.ndarray) -> np.ndarray:
    """Say how often each pair of conditions stands in a resample.

    Parameters
    ----------
    counts : array of shape (..., n_conditions)
        How often each condition is drawn; a mask leaves conditions out.

    Returns
    -------
    array of shape (..., n_pairs)
        ``k_i k_j``: pairs of a condition with itself are no pairs.
    """
    drawn = np.asarray(counts, dtype=np.float64)
    n = drawn.shape[-1]
    weights = np.empty((*drawn.shape[:-1], n * (n - 1) // 2))
    first = 0
    for c in range(n - 1):  # products of slices are much faster than indices of all pairs
        last = first + n - 1 - c
        np.multiply(drawn[..., c, None], drawn[..., c + 1 :], out=weights[..., first:last])
        first = last
    return weights


def sort_orders(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sort every RDM once for all draws.

    Parameters
    ----------
    values : array of shape (n_rdms, n_pairs)

    Returns
    -------
    order : array of int32 of shape (n_rdms, n_pairs)
    starts : array of bool of shape (n_rdms, n_pairs)
        Where in that order a new value begins; equal values are ties.
    levels : array of int of shape (n_rdms, n_pairs)
        Which of the distinct values each entry is, from 1.
    """
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    starts = np.ones(order.shape, dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    levels = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(levels, order, np.cumsum(starts, axis=1), axis=1)
    return order.astype(np.int32), starts, levels  # half the memory is twice as near


def weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rank values that stand several times each.

    Parameters
    ----------
    values : array of shape (n_rdms, n_pairs)
    weights : array of shape (n_draws, n_pairs)
        Whole numbers: how often each pair stands in each draw.

    Returns
    -------
    array of shape (n_draws, n_rdms, n_pairs)
        Ranks from 1 to the sum of weights, ties (copies of a pair among them) share the middle
        one; NaN where the weight is 0.
    """
    from neuropipe.trsa.comparison.rank_kernels import rank_draws

    order, starts, _ = sort_orders(np.atleast_2d(values))
    ranks = np.empty((len(weights), *order.shape))

    def fill(part: slice) -> None:
        rank_draws(order, starts, weights[part], ranks[part])

    in_chunks(fill, len(weights), 1)
    return ranks


def weighted_compare(
    first: np.ndarray, second: np.ndarray, weights: np.ndarray, measure: str
) -> np.ndarray:
    """Compare two sets of RDMs in every draw.

    Parameters
    ----------
    first : array of shape (n_first, n_pairs)
    second : array of shape (n_second, n_pairs)
        Pairs that any RDM of either side does not know (NaN) are left out of all.
    weights : array of shape (n_draws, n_pairs)
        Whole numbers: how often each pair stands in each draw (`pair_weights`).
    measure : str
        One of `FAST`.

    Returns
    -------
    array of shape (n_draws, n_first, n_second)
        A RDM that is constant in a draw is like nothing: 0. NaN where a draw has no pair at all.

    Raises
    ------
    InputError
        If the measure cannot be told from weights of pairs.

    Notes
    -----
    ``rho_a = 12 / (n^3 - n) sum_p w_p (r_p - rbar)(q_p - rbar)`` of mid-ranks r and q with
    ``n = sum_p w_p``; the others are their textbook forms with weighted sums (Schuett et al. 2023,
    eLife 12, e82566, recommend rho-a in place of tau-a: it is the expectation of Spearman's
    correlation over random orders of ties).
    """
    if measure not in FAST:
        raise InputError(
            f"measure {measure!r} with weights of pairs",
            f"one of {', '.join(FAST)}",
            "compare resamples that are spelt out (compare_draws)",
        )
    one, two = np.atleast_2d(first), np.atleast_2d(second)
    known = known_pairs(one, two)
    one = one[:, known]
    two = one if first is second else two[:, known]
    used = np.ascontiguousarray(np.asarray(weights, dtype=np.float64)[:, known])
    if measure in ("cosine", "corr"):
        return _products(one, two, used, centred=measure == "corr")
    result = np.empty((len(used), len(one), len(two)))
    if measure in ("tau-a", "tau-b"):
        from neuropipe.trsa.comparison.rank_kernels import tau_draws

        (order, _, levels), (_, _, others) = sort_orders(one), sort_orders(two)

        def fill(part: slice) -> None:
            tau_draws(order, levels, others, used[part], measure == "tau-b", result[part])
    else:
        from neuropipe.trsa.comparison import rank_kernels as kernels

        order, starts, _ = sort_orders(np.concatenate([one, two]))
        kind = kernels.RHO_A if measure == "rho-a" else kernels.SPEARMAN

        def fill(part: slice) -> None:
            kernels.rank_products(order, starts, used[part], len(one), kind, result[part])

    in_chunks(fill, len(used), 1)
    return result


def compare_draws(
    first: np.ndarray, second: np.ndarray, counts: np.ndarray, measure: str
) -> np.ndarray:
    """Compare two sets of RDMs in every resample of conditions.

    Parameters
    ----------
    first : array of shape (n_first, n_pairs)
    second : array of shape (n_second, n_pairs)
    counts : array of shape (n_draws, n_conditions)
        How often each condition is drawn.
    measure : str
        One of `FAST`, or any other of `neuropipe.trsa.compare.compare`.

    Returns
    -------
    array of shape (n_draws, n_first, n_second)

    Notes
    -----
    The slow path: whitened measures depend on which conditions the pairs share, so each resample is
    spelt out as a RDM of all drawn conditions, pairs of a condition with itself unknown (NaN), and
    compared on its own. A thousand draws take minutes instead of a second.
    """
    if measure in FAST:
        return weighted_compare(first, second, pair_weights(counts), measure)
    one, two = np.atleast_2d(first), np.atleast_2d(second)
    known = known_pairs(one, two)
    one, two = np.where(known, one, np.nan), np.where(known, two, np.nan)
    drawn = [(resampled(one, row), resampled(two, row)) for row in np.asarray(counts, dtype=int)]
    return np.stack([np.asarray(compare(a, b, measure)) for a, b in drawn])


def resampled(dissimilarities: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spell out a resample: repeat conditions, and blank pairs of a condition with itself.

    Parameters
    ----------
    dissimilarities : array of shape (n_rdms, n_pairs)
    counts : array of int of shape (n_conditions,)

    Returns
    -------
    array of shape (n_rdms, n_drawn_pairs)
    """
    matrices = square(np.asarray(dissimilarities, dtype=np.float64))
    diagonal = np.arange(n_conditions_of(dissimilarities.shape[-1]))
    matrices[..., diagonal, diagonal] = np.nan
    chosen = np.repeat(diagonal, counts)
    return vectors(matrices[..., chosen[:, None], chosen[None, :]])


def in_chunks(fill: Callable[[slice], None], n_draws: int, bytes_per_draw: float) -> None:
    """Run over the draws in parts that fit in memory, on all cores this process may use.

    Parameters
    ----------
    fill : callable
        Does one part and writes to places of its own.
    n_draws : int
    bytes_per_draw : float
        Of the temporary arrays.
    """
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    n_threads = max(1, min(n_threads, n_draws // 16))  # threads cost more than a few draws do
    size = int(max(1, min(-(-n_draws // n_threads), _MEMORY / n_threads // bytes_per_draw)))
    parts = [slice(a, a + size) for a in range(0, n_draws, size)]
    if n_threads == 1 or len(parts) == 1:
        for part in parts:
            fill(part)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(fill, parts))


def _products(one: np.ndarray, two: np.ndarray, weights: np.ndarray, centred: bool) -> np.ndarray:
    """Weighted cosine or correlation, by matrix products of weights with products of RDMs."""
    same = one is two
    if centred:  # values of mean 0 and variance 1 lose nothing when weighted means leave them
        one = standardised(one)
        two = one if same else standardised(two)
    shape = len(one), len(two)
    rows, columns = np.triu_indices(len(one)) if same else np.indices(shape).reshape(2, -1)
    cross = np.empty((len(rows), len(weights)))  # one row for each two RDMs
    size = int(max(1, min(_COLUMNS, _MEMORY // (8 * max(one.shape[1], 1)))))
    for first in range(0, len(rows), size):
        i, k = rows[first : first + size], columns[first : first + size]
        np.matmul(one[i] * two[k], weights.T, out=cross[first : first + size])
    if same:
        squares = [cross[rows == columns]] * 2
    else:
        squares = [values**2 @ weights.T for values in (one, two)]
    if centred:
        total = np.maximum(weights.sum(axis=1), 1.0)
        sums = [one @ weights.T]
        sums.append(sums[0] if same else two @ weights.T)
        cross -= sums[0][rows] * (sums[1] / total)[columns]
        spread = [s - m**2 / total for s, m in zip(squares, sums, strict=True)]
        # A RDM that is constant in a draw has no variance beyond rounding.
        squares = [
            np.where(v > _CONSTANT * s, v, 0.0) for v, s in zip(spread, squares, strict=True)
        ]
    lengths = [np.sqrt(values) for values in squares]
    scale = lengths[0][rows] * lengths[1][columns]
    ratio: np.ndarray = np.divide(cross, scale, out=np.zeros(cross.shape), where=scale > 0)
    ratio[:, ~(weights > 0).any(axis=1)] = np.nan
    place = np.empty(shape, dtype=np.intp)
    place[rows, columns] = np.arange(len(rows))
    if same:
        place[columns, rows] = place[rows, columns]
    return np.ascontiguousarray(ratio.T)[:, place]


def standardised(values: np.ndarray) -> np.ndarray:
    """Shift and scale RDMs to mean 0 and variance 1; constant ones to 0.

    Parameters
    ----------
    values : array of shape (n_rdms, n_pairs)
    """
    centred = values - values.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    # What is left of a constant is rounding of its mean.
    varies = spread > 1e-13 * np.abs(values).max(axis=1, initial=0, keepdims=True)
    result: np.ndarray = np.divide(centred, spread, out=np.zeros(values.shape), where=varies)
    return result
