"""Known structure of a connectivity matrix, each against a null that keeps the matrix as it is.

Left and right partners, networks, and the likeness of two matrices of the same units. Shuffling who
is who (Mantel 1967) keeps the dependence between edges, which a test over edges would ignore.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.recording import MISSING

__all__ = [
    "Likeness",
    "homologous_mean",
    "homologous_null",
    "likeness",
    "likeness_null",
    "network_contrast",
    "network_null",
    "same_network",
]


def homologous_mean(matrix: np.ndarray, pairs: np.ndarray) -> float:
    """Mean connectivity over pairs of homologues.

    Parameters
    ----------
    matrix : array of shape (n_units, n_units)
    pairs : array of int of shape (n_pairs, 2)
    """
    return float(matrix[pairs[:, 0], pairs[:, 1]].mean())


def homologous_null(
    matrix: np.ndarray, pairs: np.ndarray, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """The same mean when right partners are dealt out at random to left ones.

    Returns
    -------
    array of shape (n_permutations,)
    """
    order = np.argsort(rng.random((n_permutations, len(pairs))), axis=1)
    dealt: np.ndarray = matrix[pairs[None, :, 0], pairs[:, 1][order]].mean(axis=1)
    return dealt


def same_network(networks: np.ndarray) -> np.ndarray:
    """Membership of units in networks.

    Parameters
    ----------
    networks : array of str of shape (n_units,)
        ``n/a`` where a unit has none.

    Returns
    -------
    array of shape (n_units, n_networks)
        1 where a unit belongs to a network; units without one have none.
    """
    names = sorted(set(networks) - {MISSING, ""})
    member: np.ndarray = networks[:, None] == np.array(names, dtype=object)
    return member.astype(float)


def network_contrast(matrix: np.ndarray, membership: np.ndarray) -> tuple[float, float]:
    """Mean connectivity within and between networks.

    Parameters
    ----------
    matrix : array of shape (n_units, n_units)
    membership : array of shape (n_units, n_networks)
        See `same_network`.

    Returns
    -------
    tuple of float
        Means over pairs of units within one network and in two; NaN where there is no such pair.
    """
    plain = matrix.copy()
    np.fill_diagonal(plain, 0.0)
    sums = membership.T @ plain @ membership
    sizes = membership.sum(axis=0)
    counts = np.outer(sizes, sizes) - np.diag(sizes)
    within, between = np.trace(counts), counts.sum() - np.trace(counts)
    total = np.trace(sums)
    return (
        float(total / within) if within else float("nan"),
        float((sums.sum() - total) / between) if between else float("nan"),
    )


def network_null(
    matrix: np.ndarray, membership: np.ndarray, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Within minus between when networks are dealt out at random to the units that have one.

    Returns
    -------
    array of shape (n_permutations,)
    """
    assigned = np.flatnonzero(membership.sum(axis=1))
    inner, members = matrix[np.ix_(assigned, assigned)], membership[assigned]
    null = np.empty(n_permutations)
    for p in range(n_permutations):
        within, between = network_contrast(inner, members[rng.permutation(len(members))])
        null[p] = within - between
    return null


@dataclass(frozen=True)
class Likeness:
    """Correlation between the edges of two matrices of the same units.

    Parameters
    ----------
    r : float
    without : array of shape (n_units,)
        The same with each unit left out, for a jackknife over units, which is conservative for
        any statistic of a network (Lin, Lunde & Sarkar 2020). NaN where fewer than two edges vary.
    """

    r: float
    without: np.ndarray


def likeness(first: np.ndarray, second: np.ndarray) -> Likeness:
    """Correlate the edges of two matrices.

    Parameters
    ----------
    first, second : arrays of shape (n_units, n_units)
        Symmetric; diagonals do not count.
    """
    a, b = first.copy(), second.copy()
    np.fill_diagonal(a, 0.0)
    np.fill_diagonal(b, 0.0)
    n = len(a)
    # Sums over edges, and over the edges of each unit, of a, b, a^2, b^2 and ab.
    rows = np.stack([m.sum(axis=1) for m in (a, b, a * a, b * b, a * b)])
    total = rows.sum(axis=1) / 2
    count = n * (n - 1) / 2
    return Likeness(
        r=float(_pearson(total[:, None], count)[0]),
        without=_pearson(total[:, None] - rows, count - (n - 1)),
    )


def _pearson(sums: np.ndarray, count: float) -> np.ndarray:
    mean_a, mean_b, square_a, square_b, product = sums / count
    spread_a, spread_b = square_a - mean_a**2, square_b - mean_b**2
    flat = (spread_a <= 1e-12 * square_a) | (spread_b <= 1e-12 * square_b)  # nothing but rounding
    spread = np.where(flat, np.nan, spread_a * spread_b)
    r: np.ndarray = (product - mean_a * mean_b) / np.sqrt(spread)
    return r


def likeness_null(
    first: np.ndarray, second: np.ndarray, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    """Correlation between the edges when the units of one matrix are shuffled (Mantel 1967).

    Returns
    -------
    array of shape (n_permutations,)
    """
    n = len(first)
    rows, columns = np.triu_indices(n, k=1)
    a = first[rows, columns]
    a = (a - a.mean()) / a.std()
    b = second - second[rows, columns].mean()
    b = b / second[rows, columns].std()
    null = np.empty(n_permutations)
    for p in range(n_permutations):
        order = rng.permutation(n)
        null[p] = a @ b[order[rows], order[columns]] / len(a)
    return null
