"""How similar RDMs are: every one of a set with every one of another.

Axes: a first RDMs, b second RDMs, pairs of conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuropipe.errors import InputError, SettingsError
from neuropipe.trsa.comparison.second_moments import bures, bures_metric, negative_riemannian
from neuropipe.trsa.rdms import n_conditions_of

if TYPE_CHECKING:
    import scipy.sparse as sparse

__all__ = ["COMPARISONS", "compare", "pair_precision"]

Array: TypeAlias = NDArray[np.float64]
Comparison: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def compare(first: np.ndarray, second: np.ndarray, measure: str = "rho-a") -> Array:
    """Compare each of some RDMs with each of others.

    Parameters
    ----------
    first : array of shape (n_first, n_pairs)
    second : array of shape (n_second, n_pairs)
        NaN where a pair is unknown.
    measure : str
        One of `COMPARISONS`.

    Returns
    -------
    array of shape (n_first, n_second)
        Larger is more similar, except for ``bures_metric``. 0 with an RDM that says nothing (all
        zeros; for correlations: all equal). NaN where fewer than two pairs are known to both.

    Raises
    ------
    SettingsError
        If the measure is unknown.
    InputError
        If the sides have different pairs, a value is infinite, or pairs are unknown that the
        measure needs (bures, bures_metric, neg_riem_dist).

    Notes
    -----
    Each two RDMs are compared over the pairs that both know. So a value never depends on what
    else is compared at the same time. Where all RDMs lack the same pairs, the only case that
    rsatoolbox takes, this is what it does.
    """
    if measure not in COMPARISONS:
        raise SettingsError(
            f"comparison: {measure}", f"one of {', '.join(COMPARISONS)}", "choose one"
        )
    one, other = (np.atleast_2d(np.asarray(rows, dtype=np.float64)) for rows in (first, second))
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1]:
        raise InputError(
            f"RDMs of shape {one.shape} and {other.shape}",
            "as many pairs of conditions on both sides",
            "pick the same conditions (RDMs.of)",
        )
    n_conditions_of(one.shape[1])
    if np.isinf(one).any() or np.isinf(other).any():
        raise InputError("an infinite dissimilarity", "finite values or NaN", "set it to NaN")
    function = COMPARISONS[measure]
    result = np.full((len(one), len(other)), np.nan)
    for rows, here in _by_gaps(one):
        for columns, there in _by_gaps(other):
            known = here & there
            if known.sum() >= 2:
                result[np.ix_(rows, columns)] = function(
                    one[rows][:, known], other[columns][:, known], known
                )
    return result


def pair_precision(rows: np.ndarray, known: np.ndarray) -> Array:
    """Multiply RDMs with the inverse covariance of their entries under independent noise.

    Parameters
    ----------
    rows : array of shape (n_rdms, n_known)
    known : array of bool of shape (n_pairs,)
        Which pairs `rows` holds.

    Returns
    -------
    array of shape (n_rdms, n_known)

    Notes
    -----
    Entries of crossnobis RDMs without signal have the covariance ``V = (C C^T)^2``, element by
    element, with the contrasts C of pairs (Diedrichsen et al. 2020, eq. 21). V is ``L L^T`` for
    the map L from second moments G to distances, so ``V^-1 d`` are the multipliers of "the least
    ``|G|^2`` with distances d": with the diagonal a of that G, ``(d_ij - a_i - a_j) / 2`` and
    ``(E^T E + 2 I) a = E^T d``, where E holds a 1 for both conditions of a pair. A system of n
    conditions, never of pairs.
    """
    members = _members(n_conditions_of(known.size))[known]
    system = (members.T @ members).toarray() + 2 * np.eye(members.shape[1])
    diagonal = np.linalg.solve(system, members.T @ rows.T)
    return np.asarray((rows - (members @ diagonal).T) / 2)


def _by_gaps(rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows that know the same pairs, and these pairs."""
    known = ~np.isnan(rows)
    if known.all():
        return [(np.arange(len(rows)), np.ones(rows.shape[1], dtype=bool))] if len(rows) else []
    masks, group = np.unique(known, axis=0, return_inverse=True)
    return [(np.flatnonzero(group == k), mask) for k, mask in enumerate(masks)]


@lru_cache(maxsize=8)
def _members(n_conditions: int) -> sparse.csr_array:
    """Which two conditions each pair has, shape (n_pairs, n_conditions)."""
    import scipy.sparse as sparse

    rows, columns = np.triu_indices(n_conditions, 1)
    indices = np.stack([rows, columns], axis=1).ravel()
    starts = np.arange(0, 2 * len(rows) + 1, 2)
    shape = (len(rows), n_conditions)
    return sparse.csr_array((np.ones(2 * len(rows)), indices, starts), shape=shape)


def _normalised(products: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Divide inner products by lengths (squared ones given); 0 where one is 0."""
    lengths = np.sqrt(np.outer(first, second))
    return np.asarray(np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0))


def _cosine(first: np.ndarray, second: np.ndarray, _: np.ndarray) -> np.ndarray:
    squares = [np.einsum("ij,ij->i", rows, rows) for rows in (first, second)]
    return _normalised(first @ second.T, *squares)


def _corr(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> np.ndarray:
    return _cosine(_centred(first), _centred(second), known)


def _spearman(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> np.ndarray:
    return _corr(_ranks(first), _ranks(second), known)


def _rho_a(first: np.ndarray, second: np.ndarray, _: np.ndarray) -> np.ndarray:
    """Mean Spearman correlation over random orders of ties (Schuett et al. 2023, appendix)."""
    n = first.shape[1]
    ranks = [_centred(_ranks(rows)) for rows in (first, second)]
    return np.asarray(ranks[0] @ ranks[1].T * 12 / (n**3 - n))


def _tau_a(first: np.ndarray, second: np.ndarray, _: np.ndarray) -> np.ndarray:
    from neuropipe.trsa.comparison.kendall import kendall  # compiles at first use

    return kendall(first, second, corrected=False)


def _tau_b(first: np.ndarray, second: np.ndarray, _: np.ndarray) -> np.ndarray:
    from neuropipe.trsa.comparison.kendall import kendall

    return kendall(first, second, corrected=True)


def _cosine_cov(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> np.ndarray:
    weighted = [pair_precision(rows, known) for rows in (first, second)]
    squares = [
        np.einsum("ij,ij->i", rows, white)
        for rows, white in zip((first, second), weighted, strict=True)
    ]
    return _normalised(first @ weighted[1].T, *squares)


def _corr_cov(first: np.ndarray, second: np.ndarray, known: np.ndarray) -> np.ndarray:
    return _cosine_cov(_centred(first), _centred(second), known)


def _ranks(rows: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata  # takes a second to import

    return np.asarray(rankdata(rows, axis=1))


def _centred(rows: np.ndarray) -> np.ndarray:
    """Subtract the mean; exactly 0 where only rounding differs from it."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    spread = np.abs(centred).max(axis=1, initial=0)
    centred[spread <= 1e-13 * np.abs(rows).max(axis=1, initial=0)] = 0
    return np.asarray(centred)


#: Functions of RDMs (n_first, n_known), (n_second, n_known) and which pairs are known.
COMPARISONS: Mapping[str, Comparison] = {
    "cosine": _cosine,
    "corr": _corr,
    "spearman": _spearman,
    "rho-a": _rho_a,
    "tau-a": _tau_a,
    "tau-b": _tau_b,
    "corr_cov": _corr_cov,
    "cosine_cov": _cosine_cov,
    "neg_riem_dist": negative_riemannian,
    "bures": bures,
    "bures_metric": bures_metric,
}
