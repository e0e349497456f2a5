"""Parallelism score: whether a variable moves the pattern the same way in all contexts.

Everything is computed from a kernel, so that noise can be corrected for by a crossvalidated one.
Axes: n conditions, m = n / 2 pairs.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
from scipy.optimize import linear_sum_assignment

from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.trsa.geometry.kernels import centred

__all__ = [
    "parallelism_null",
    "parallelism_score",
    "parallelism_scores",
    "rotated_kernels",
]

#: Up to this number of pairs all pairings are tried: 720 of them.
EXHAUSTIVE = 6
#: Beyond this number a pairing must be given: the search holds m^4 cosines.
SEARCHED = 40


def parallelism_score(
    kernel: np.ndarray,
    dichotomy: np.ndarray,
    *,
    pairs: np.ndarray | None = None,
    n_starts: int = 20,
    seed: int = 0,
) -> float:
    """Mean cosine between the differences of matched pairs across a dichotomy.

    Parameters
    ----------
    kernel : array of shape (n_conditions, n_conditions)
        Inner products of the patterns; a crossvalidated kernel for noisy ones.
    dichotomy : array of shape (n_conditions,)
        -1 and 1, equally often.
    pairs : array of int of shape (n_pairs, 2), optional
        Which condition at 1 belongs to which at -1; by default the pairing with the highest
        score, which is above 0 for random patterns too: see `parallelism_null`.
    n_starts : int
        Of the search for the best pairing of more than `EXHAUSTIVE` pairs.
    seed : int
        Of those starts.

    Returns
    -------
    float
        -1 to 1 (beyond with a crossvalidated kernel); NaN where a difference has no positive
        length.

    Raises
    ------
    InputError
        If the sides are not equally large, or have one condition only.
    UnfitRecordingError
        If there are more than `SEARCHED` pairs and no pairing.

    Notes
    -----
    Bernardi et al. 2020. The score is (||sum of unit differences||^2 - m) / (m (m - 1)). Beyond
    exhaustive search it rises by turns: given a direction, the best pairing is an assignment
    problem; given a pairing, the best direction is the sum of its unit differences. Starts are
    single differences and random pairings; the result is a lower bound of the maximum.
    """
    signs = np.asarray(dichotomy)
    positive, negative = np.flatnonzero(signs == 1), np.flatnonzero(signs == -1)
    m = len(positive)
    if m != len(negative) or m < 2 or 2 * m != len(signs):
        raise InputError(
            f"a dichotomy of {m} against {len(negative)} of {len(signs)} conditions",
            "-1 and 1 equally often, twice each at least",
            "use a balanced dichotomy",
        )
    if pairs is not None:
        matched = np.asarray(pairs)
        cosines = _cosines(np.asarray(kernel, float), matched[:, 0], matched[:, 1])
        return _mean_off_diagonal(cosines)
    if m > SEARCHED:
        raise UnfitRecordingError(
            f"a dichotomy of {m} pairs", f"at most {SEARCHED} to search", "give matched pairs"
        )
    first, second = np.repeat(positive, m), np.tile(negative, m)
    cosines = _cosines(np.asarray(kernel, float), first, second)
    if not np.isfinite(cosines).all():
        return float("nan")
    if m <= EXHAUSTIVE:
        chosen = np.arange(m) * m + np.array(list(permutations(range(m))))
        # Sum over all pairs of differences of each pairing, in one take.
        totals = cosines[chosen[:, :, None], chosen[:, None, :]].sum(axis=(1, 2))
        best = float(totals.max())
    else:
        best = _search(cosines, m, n_starts, np.random.default_rng(seed))
    return (best - m) / (m * (m - 1))


def parallelism_scores(kernel: np.ndarray, dichotomies: np.ndarray) -> np.ndarray:
    """Score of each of many dichotomies, shape (n_dichotomies,): the random-dichotomy null."""
    return np.array([parallelism_score(kernel, signs) for signs in dichotomies])


def rotated_kernels(kernel: np.ndarray, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Kernels of the same patterns with the conditions rotated at random.

    Parameters
    ----------
    kernel : array of shape (n_conditions, n_conditions)
    n_draws : int
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (n_draws, n_conditions, n_conditions)
        Centred. The covariance of the units, hence every principal component and its variance,
        is that of the data; which condition lies where is random.
    """
    n = len(kernel)
    basis = np.linalg.qr(np.hstack([np.ones((n, 1)), np.eye(n)[:, 1:]]))[0][:, 1:]
    within = basis.T @ centred(np.asarray(kernel, float)) @ basis
    turns = basis @ random_rotations(n - 1, n_draws, rng)
    return np.asarray(turns @ within @ np.swapaxes(turns, 1, 2))


def random_rotations(n: int, n_draws: int, rng: np.random.Generator) -> np.ndarray:
    """Orthogonal matrices of the uniform (Haar) distribution, shape (n_draws, n, n)."""
    q, r = np.linalg.qr(rng.standard_normal((n_draws, n, n)))
    # Signs of the diagonal make the factorisation, hence its distribution, unique.
    return np.asarray(q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :])


def parallelism_null(
    kernel: np.ndarray,
    dichotomy: np.ndarray,
    *,
    pairs: np.ndarray | None = None,
    n_draws: int = 200,
    seed: int = 0,
) -> np.ndarray:
    """Scores of random geometries with the spectrum of the data.

    Parameters
    ----------
    kernel, dichotomy, pairs
        See `parallelism_score`; the pairing is maximised here too unless it is given.
    n_draws : int
    seed : int

    Returns
    -------
    array of shape (n_draws,)
    """
    rng = np.random.default_rng(seed)
    drawn = rotated_kernels(kernel, n_draws, rng)
    return np.array([parallelism_score(k, dichotomy, pairs=pairs) for k in drawn])


def _cosines(kernel: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cosines between the differences first - second, shape (n_differences, n_differences)."""
    products = (
        kernel[np.ix_(first, first)]
        - kernel[np.ix_(first, second)]
        - kernel[np.ix_(second, first)]
        + kernel[np.ix_(second, second)]
    )
    squares = np.diag(products)
    sizes = np.sqrt(np.where(squares > 1e-12 * np.abs(kernel).max(), squares, np.nan))
    return np.asarray(products / np.outer(sizes, sizes))


def _mean_off_diagonal(cosines: np.ndarray) -> float:
    m = len(cosines)
    return float((cosines.sum() - np.trace(cosines)) / (m * (m - 1)))


def _search(cosines: np.ndarray, m: int, n_starts: int, rng: np.random.Generator) -> float:
    best = -np.inf
    rows = np.arange(m)
    for start in range(n_starts):
        if start < n_starts // 2:
            members = rng.integers(0, m * m, 1)
        else:
            members = rows * m + rng.permutation(m)
        previous = -np.inf
        while True:
            # Inner product of every unit difference with the sum of the current ones.
            gains = cosines[:, members].sum(axis=1).reshape(m, m)
            members = rows * m + linear_sum_assignment(gains, maximize=True)[1]
            total = float(cosines[np.ix_(members, members)].sum())
            if total <= previous + 1e-12:
                break
            previous = total
        best = max(best, previous)
    return best
