"""Kendall's rank correlations of many vectors, O(n log n) a pair.

Knight 1966: sort by the first vector, then count the exchanges that sort the second.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["kendall"]


def kendall(first: np.ndarray, second: np.ndarray, *, corrected: bool) -> np.ndarray:
    """Correlate every vector with every other.

    Parameters
    ----------
    first : array of shape (n_first, n)
    second : array of shape (n_second, n)
    corrected : bool
        For ties: tau-b; otherwise tau-a, which takes ties for neither agreement nor disagreement.

    Returns
    -------
    array of shape (n_first, n_second)
        0 with a vector whose values are all equal.
    """
    n = first.shape[1]
    total = n * (n - 1) // 2
    ranks = [_dense_ranks(rows) for rows in (first, second)]
    ties = [np.array([_ties(np.bincount(row)) for row in rows]) for rows in ranks]
    difference = np.empty((len(first), len(second)))
    for a, one in enumerate(ranks[0]):
        for b, other in enumerate(ranks[1]):
            width = int(other.max()) + 1
            both = np.sort(one * width + other)  # by the first, and by the second among its ties
            joint = _ties(np.diff(np.flatnonzero(np.diff(both, prepend=-1, append=-1))))
            discordant = exchanges(both % width)
            untied = total - ties[0][a] - ties[1][b] + joint
            difference[a, b] = untied - 2 * discordant
    if not corrected:
        return np.asarray(difference / total)
    room = np.sqrt(np.outer(total - ties[0], total - ties[1]))
    return np.divide(difference, room, out=np.zeros_like(difference), where=room > 0)


def _dense_ranks(rows: np.ndarray) -> list[np.ndarray]:
    return [np.unique(row, return_inverse=True)[1].astype(np.int64) for row in rows]


def _ties(counts: np.ndarray) -> int:
    """Pairs within groups of the given sizes."""
    return int((counts * (counts - 1) // 2).sum())


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def exchanges(values: np.ndarray) -> int:
    """Count the pairs of places whose values stand in falling order, by merging runs.

    Parameters
    ----------
    values : array of int of shape (n,)

    Returns
    -------
    int
    """
    n = len(values)
    source, target = values.copy(), np.empty_like(values)
    count = 0
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for place in range(start, stop):
                if left < middle and (right >= stop or source[left] <= source[right]):
                    target[place] = source[left]
                    left += 1
                else:
                    target[place] = source[right]
                    right += 1
                    count += middle - left
        source, target = target, source
        width *= 2
    return count
