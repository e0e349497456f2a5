"""Dichotomies of conditions: all balanced ones, those of a factor, and their matched pairs."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from neuropipe.errors import InputError, UnfitRecordingError

__all__ = [
    "balanced_dichotomies",
    "binary_factors",
    "factor_dichotomy",
    "matched_pairs",
    "n_balanced",
    "sample_dichotomies",
]


def n_balanced(n_conditions: int) -> int:
    """How many ways there are to halve the conditions, not counting sides twice."""
    _check_even(n_conditions)
    return comb(n_conditions, n_conditions // 2) // 2


def balanced_dichotomies(n_conditions: int) -> np.ndarray:
    """All ways to halve the conditions.

    Parameters
    ----------
    n_conditions : int
        Even.

    Returns
    -------
    array of int of shape (n_dichotomies, n_conditions)
        -1 and 1, the first condition always at 1; 3 of 4 conditions, 35 of 8, 6435 of 16.

    Raises
    ------
    UnfitRecordingError
        If the number is odd or below four, or gives more than a million.
    """
    if n_balanced(n_conditions) > 1_000_000:
        raise UnfitRecordingError(
            f"{n_balanced(n_conditions)} dichotomies of {n_conditions} conditions",
            "at most a million",
            "draw some of them (sample_dichotomies)",
        )
    half = n_conditions // 2
    chosen = np.array(list(combinations(range(1, n_conditions), half - 1)), dtype=int)
    signs = -np.ones((len(chosen), n_conditions), dtype=np.int64)
    signs[:, 0] = 1
    np.put_along_axis(signs, chosen, 1, axis=1)
    return signs


def sample_dichotomies(n_conditions: int, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw different balanced dichotomies; all of them where there are not more.

    Parameters
    ----------
    n_conditions : int
        Even.
    n_samples : int
    rng : numpy.random.Generator

    Returns
    -------
    array of int of shape (n_dichotomies, n_conditions)
        -1 and 1, the first condition always at 1.
    """
    if n_balanced(n_conditions) <= n_samples:
        return balanced_dichotomies(n_conditions)
    base = np.repeat([1, -1], n_conditions // 2)
    found: dict[bytes, np.ndarray] = {}
    while len(found) < n_samples:
        signs = rng.permutation(base)
        signs = signs * signs[0]
        found[signs.tobytes()] = signs
    return np.array(list(found.values()))


def binary_factors(factors: pd.DataFrame) -> tuple[str, ...]:
    """Names of the factors that halve the conditions."""
    names = []
    for name in factors.columns:
        counts = factors[name].value_counts()
        if len(counts) == 2 and counts.iloc[0] == counts.iloc[1] and factors[name].notna().all():
            names.append(str(name))
    return tuple(names)


def factor_dichotomy(factor: pd.Series) -> np.ndarray:
    """Sides of a binary factor, shape (n_conditions,): 1 for the first condition's value.

    Raises
    ------
    InputError
        If the factor does not have two values.
    """
    values = factor.to_numpy()
    if factor.isna().any() or len(pd.unique(values)) != 2:
        raise InputError(
            f"factor {factor.name!r} with {factor.nunique(dropna=False)} values",
            "two",
            "choose a binary factor, or compare two of its values",
        )
    return np.where(values == values[0], 1, -1)


def matched_pairs(factors: pd.DataFrame, name: str) -> np.ndarray | None:
    """Pair conditions that differ in one binary factor only.

    Parameters
    ----------
    factors : pandas.DataFrame of length n_conditions
        All controlled features.
    name : str
        The factor the two of a pair differ in.

    Returns
    -------
    array of int of shape (n_pairs, 2) or None
        Condition at side 1, condition at side -1. None where the design does not match every
        condition with exactly one other.
    """
    side = factor_dichotomy(factors[name])
    rest = factors.drop(columns=name)
    if rest.shape[1] == 0:
        return None
    cells = rest.groupby(list(rest.columns), dropna=False, sort=False).ngroup().to_numpy()
    pairs = []
    for cell in np.unique(cells):
        positive = np.flatnonzero((cells == cell) & (side == 1))
        negative = np.flatnonzero((cells == cell) & (side == -1))
        if len(positive) != 1 or len(negative) != 1:
            return None
        pairs.append((positive[0], negative[0]))
    return np.array(pairs)


def _check_even(n_conditions: int) -> None:
    if n_conditions < 4 or n_conditions % 2:
        raise UnfitRecordingError(
            f"{n_conditions} conditions", "an even number of at least 4", "leave one out or add one"
        )
