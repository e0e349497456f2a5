"""Random wirings in which every unit keeps its number of partners."""

from __future__ import annotations

from collections.abc import Iterator

import numba
import numpy as np

__all__ = ["rewired"]

_SWAPS = 10  # attempted, per connection; mixes well beyond what is needed (Milo et al. 2003)


def rewired(weight: np.ndarray, n_draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Draw wirings with the same degrees and the same weights.

    Parameters
    ----------
    weight : array of shape (n_units, n_units)
        Symmetric, 0 where two units are not connected; the diagonal is not used.
    n_draws : int
    rng : numpy.random.Generator

    Yields
    ------
    array of shape (n_units, n_units), float64
        Symmetric. Each draw goes on from the one before.

    Notes
    -----
    Two connections a-b and c-d become a-d and c-b (or a-c and b-d) unless that would join a unit
    with itself or repeat a connection (Maslov & Sneppen 2002, Science 296, 910-913). A refused swap
    counts as a step, so that all wirings with these degrees are equally likely.
    """
    ends = np.argwhere(np.triu(weight, k=1) != 0)
    weights = weight[ends[:, 0], ends[:, 1]]
    connected = weight != 0
    for _ in range(n_draws):
        chosen = rng.integers(0, len(ends), size=(_SWAPS * len(ends), 2))
        _swap(connected, ends, chosen, rng.random(len(chosen)) < 0.5)
        drawn = np.zeros(weight.shape)
        drawn[ends[:, 0], ends[:, 1]] = rng.permutation(weights)
        yield drawn + drawn.T


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _swap(connected: np.ndarray, ends: np.ndarray, chosen: np.ndarray, crossed: np.ndarray) -> None:
    for k in range(len(chosen)):
        first, second = chosen[k]
        a, b = ends[first]
        c, d = ends[second]
        if crossed[k]:
            c, d = d, c
        if a in (c, d) or b in (c, d) or connected[a, d] or connected[c, b]:
            continue
        connected[a, b] = connected[b, a] = connected[c, d] = connected[d, c] = False
        connected[a, d] = connected[d, a] = connected[c, b] = connected[b, c] = True
        ends[first, 0], ends[first, 1] = a, d
        ends[second, 0], ends[second, 1] = c, b
