"""Compiled loops over weighted ranks: mid-ranks, concordance, and noise ceilings of rank measures.

Axes: d draws, k or i RDMs, p pairs of conditions. Weights are how often each pair stands in a
resample, 0 for pairs that are left out. Everything rests on one fixed sort order of each RDM.
All kernels stand in one file because numba's cache on disk does not notice a change in another.
"""

# What numpy's scalars are is numba's business here, and it checks it.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["RHO_A", "SPEARMAN", "TAU_A", "TAU_B", "ceiling_draws", "rank_draws", "tau_draws"]

SPEARMAN, RHO_A, TAU_A, TAU_B = 0, 1, 2, 3
_BITS = 9  # of a digit, when summed ranks are sorted
_DIGITS = 1 << _BITS


@njit(cache=True, nogil=True)
def rank_draws(order, starts, weights, ranks):
    """Fill ranks (d, k, p) with the mid-ranks of weighted values.

    Parameters
    ----------
    order : array of int of shape (k, p)
        Sorts the values of each RDM.
    starts : array of bool of shape (k, p)
        Where a new value begins in that order.
    weights : array of shape (d, p)
    ranks : array of shape (d, k, p)
    """
    for d in range(weights.shape[0]):
        for k in range(order.shape[0]):
            _mid_ranks(order[k], starts[k], weights[d], ranks[d, k])


@njit(cache=True, nogil=True)
def _mid_ranks(order, starts, weights, ranks):
    n = len(order)
    before, first = 0.0, 0
    while first < n:
        total, last = weights[order[first]], first + 1
        while last < n and not starts[last]:
            total += weights[order[last]]
            last += 1
        for a in range(first, last):
            ranks[order[a]] = before + 0.5 * (total + 1)
        before += total
        first = last


@njit(cache=True, nogil=True)
def tau_draws(order, levels, other_levels, weights, tie_corrected, taus):
    """Fill taus (d, i, k) with Kendall's tau a (or b) of weighted values.

    Parameters
    ----------
    order : array of int of shape (i, p)
        Sorts the first RDMs.
    levels, other_levels : arrays of int of shapes (i, p) and (k, p)
        Which of the distinct values each entry is, from 1, of the first and second RDMs.
    weights : array of shape (d, p)
    tie_corrected : bool
    taus : array of shape (d, i, k)
    """
    n = order.shape[1]
    kept = np.empty(n, np.int64)
    tree, sizes = np.zeros(n + 2), np.zeros(n + 2)
    for d in range(weights.shape[0]):
        for i in range(order.shape[0]):
            count = 0
            for a in range(n):
                if weights[d, order[i, a]] > 0:
                    kept[count] = order[i, a]
                    count += 1
            for k in range(other_levels.shape[0]):
                taus[d, i, k] = _tau(
                    kept[:count],
                    levels[i],
                    other_levels[k],
                    weights[d],
                    tie_corrected,
                    tree,
                    sizes,
                )


@njit(cache=True, nogil=True)
def _tau(order, x, y, weights, tie_corrected, tree, sizes):
    """Kendall's tau of entries in the order of x; a binary indexed tree counts the smaller y."""
    n_levels = 0
    for a in order:
        n_levels = max(n_levels, y[a])
    tree[: n_levels + 1] = 0.0
    sizes[: n_levels + 1] = 0.0
    surplus, seen, tied_x, first = 0.0, 0.0, 0.0, 0
    while first < len(order):
        last = first
        total = 0.0
        while last < len(order) and x[order[last]] == x[order[first]]:
            a = order[last]
            below, upto = _up_to(tree, y[a] - 1), _up_to(tree, y[a])
            surplus += weights[a] * (below - (seen - upto))
            total += weights[a]
            last += 1
        for b in range(first, last):
            a = order[b]
            sizes[y[a]] += weights[a]
            level = y[a]
            while level <= n_levels:
                tree[level] += weights[a]
                level += level & -level
        tied_x += 0.5 * total * (total - 1)
        seen += total
        first = last
    everything = 0.5 * seen * (seen - 1)
    if everything <= 0:
        return np.nan
    if not tie_corrected:
        return surplus / everything
    tied_y = 0.0
    for level in range(1, n_levels + 1):
        tied_y += 0.5 * sizes[level] * (sizes[level] - 1)
    scale = (everything - tied_x) * (everything - tied_y)
    return surplus / np.sqrt(scale) if scale > 0 else 0.0


@njit(cache=True, nogil=True)
def _up_to(tree, level):
    total = 0.0
    while level > 0:
        total += tree[level]
        level -= level & -level
    return total


@njit(cache=True, nogil=True)
def ceiling_draws(order, starts, levels, member, weights, counts, kind, ceilings):
    """Fill ceilings (d, 2) with the lower and upper noise ceiling of every draw.

    Parameters
    ----------
    order, starts, levels : arrays of shape (k, p)
        Sort order of each RDM, where new values begin in it, and levels as in `tau_draws`.
    member : array of int of shape (k,)
        Subject of each RDM.
    weights : array of shape (d, p)
    counts : array of shape (d, n_subjects)
        How often each subject is drawn; at least two of them are.
    kind : int
        One of SPEARMAN, RHO_A, TAU_A, TAU_B.
    ceilings : array of shape (d, 2)
    """
    n_rdms, n = order.shape
    n_subjects = counts.shape[1]
    ranks = np.zeros((n_rdms, n))
    total, own = np.empty(n), np.empty(n)
    kept, keys = np.empty(n, np.int64), np.empty(n, np.int64)
    spare, places = np.empty(n, np.int64), np.empty(n, np.int64)
    pool_order, pool_levels = np.empty(n, np.int64), np.empty(n, np.int64)
    tree, sizes = np.zeros(n + 2), np.zeros(n + 2)
    upper = np.empty(n_rdms)
    for d in range(weights.shape[0]):
        m = 0
        for a in range(n):
            if weights[d, a] > 0:
                kept[m] = a
                m += 1
        total[:] = 0.0
        for k in range(n_rdms):
            drawn = counts[d, member[k]]
            if drawn > 0:
                _mid_ranks(order[k], starts[k], weights[d], ranks[k])
                for b in range(m):
                    total[kept[b]] += drawn * ranks[k, kept[b]]
        lower_sum, upper_sum, n_drawn = 0.0, 0.0, 0
        _sort_pool(total, kept[:m], keys, spare, places, pool_order, pool_levels)
        for k in range(n_rdms):
            if counts[d, member[k]] > 0:
                upper[k] = _alike(
                    pool_order[:m], pool_levels, ranks[k], levels[k], weights[d], kind, tree, sizes
                )
        for s in range(n_subjects):
            if counts[d, s] <= 0:
                continue
            own[:] = 0.0
            for k in range(n_rdms):
                if member[k] == s:
                    for b in range(m):
                        own[kept[b]] += counts[d, s] * ranks[k, kept[b]]
            for b in range(m):
                own[kept[b]] = total[kept[b]] - own[kept[b]]
            _sort_pool(own, kept[:m], keys, spare, places, pool_order, pool_levels)
            low, high, n_own = 0.0, 0.0, 0
            for k in range(n_rdms):
                if member[k] == s:
                    low += _alike(
                        pool_order[:m],
                        pool_levels,
                        ranks[k],
                        levels[k],
                        weights[d],
                        kind,
                        tree,
                        sizes,
                    )
                    high += upper[k]
                    n_own += 1
            lower_sum += low / n_own
            upper_sum += high / n_own
            n_drawn += 1
        ceilings[d, 0] = lower_sum / n_drawn
        ceilings[d, 1] = upper_sum / n_drawn


@njit(cache=True, nogil=True)
def _sort_pool(pool, kept, keys, spare, places, order, levels):
    """Sort summed ranks, by digits: they are multiples of one half, so that ties stay ties."""
    n = len(kept)
    largest = np.int64(0)
    for b in range(n):
        keys[b] = np.int64(np.rint(2 * pool[kept[b]]))
        places[b] = kept[b]
        largest = max(largest, keys[b])
    counts = np.empty(_DIGITS + 1, np.int64)
    shift = 0
    while largest >> shift > 0:
        counts[:] = 0
        for b in range(n):
            counts[((keys[b] >> shift) & (_DIGITS - 1)) + 1] += 1
        for digit in range(_DIGITS):
            counts[digit + 1] += counts[digit]
        for b in range(n):
            digit = (keys[b] >> shift) & (_DIGITS - 1)
            spare[counts[digit]] = keys[b]
            order[counts[digit]] = places[b]
            counts[digit] += 1
        keys[:n] = spare[:n]
        places[:n] = order[:n]
        shift += _BITS
    level, last = 0, np.int64(-1)
    for b in range(n):
        if keys[b] != last:
            level += 1
            last = keys[b]
        order[b] = places[b]
        levels[places[b]] = level


@njit(cache=True, nogil=True)
def _alike(order, levels, ranks, own_levels, weights, kind, tree, sizes):
    """Compare a sorted pool with ranks (or levels) of one RDM."""
    if kind >= 2:
        return _tau(order, levels, own_levels, weights, kind == 3, tree, sizes)
    n = 0.0
    for a in order:
        n += weights[a]
    middle = 0.5 * (n + 1)
    product, pool_square, own_square, before, first = 0.0, 0.0, 0.0, 0.0, 0
    while first < len(order):
        last, size, moment = first, 0.0, 0.0
        while last < len(order) and levels[order[last]] == levels[order[first]]:
            a = order[last]
            own = ranks[a] - middle
            size += weights[a]
            moment += weights[a] * own
            own_square += weights[a] * own * own
            last += 1
        rank = before + 0.5 * (size + 1) - middle
        product += rank * moment
        pool_square += size * rank * rank
        before += size
        first = last
    if kind == 1:
        return 12 * product / (n * n * n - n)
    scale = pool_square * own_square
    return product / np.sqrt(scale) if scale > 0 else 0.0
