"""Noise-free tensors of known nonnegative rank: a factorisation should find their factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def planted_factors(
    shape: Sequence[int], rank: int, rng: np.random.Generator, *, density: float = 0.4
) -> list[np.ndarray]:
    """Draw nonnegative factors of which no two components are alike.

    Parameters
    ----------
    shape : sequence of int
        Length of each mode, such as pairs, samples and animals.
    rank : int
        Number of components.
    rng : numpy.random.Generator
    density : float
        Expected share of entries that are not zero; each column has at least one.

    Returns
    -------
    list of array of shape (length, rank)
        One a mode, columns of unit norm.
    """
    factors = []
    for length in shape:
        factor = rng.gamma(2.0, size=(length, rank))
        factor *= rng.uniform(size=factor.shape) < density
        empty = np.flatnonzero(~factor.any(axis=0))
        factor[rng.integers(length, size=len(empty)), empty] = 1.0
        factors.append(factor / np.linalg.norm(factor, axis=0))
    return factors


def compose(factors: Sequence[np.ndarray]) -> np.ndarray:
    """Sum the components: A[i, j, ...] = sum_r f_1[i, r] f_2[j, r] ...

    Parameters
    ----------
    factors : sequence of array of shape (length, rank)

    Returns
    -------
    array with one axis a factor
    """
    letters = "abcdefghijklmnopqrstuvwxy"[: len(factors)]
    terms = ",".join(f"{letter}z" for letter in letters)
    return np.asarray(np.einsum(f"{terms}->{letters}", *factors, optimize=True))
