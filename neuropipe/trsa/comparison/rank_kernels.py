"""Compiled loops over weighted ranks: mid-ranks, concordance, and noise ceilings of rank measures.

Axes: d draws, k or i RDMs, p pairs of conditions. Weights are how often each pair stands in a
resample: whole numbers, 0 for six of ten in a bootstrap, so a draw is first packed to the m pairs
that it holds. All rests on one fixed sort order of each RDM. Twice a rank is a whole number, so
sums are exact. All kernels stand in one file: numba's cache does not notice a change in another.
"""

# What numpy's scalars are is numba's business here, and it checks it.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = [
    "RHO_A",
    "SPEARMAN",
    "TAU_A",
    "TAU_B",
    "ceiling_draws",
    "rank_draws",
    "rank_products",
    "tau_draws",
]

SPEARMAN, RHO_A, TAU_A, TAU_B = 0, 1, 2, 3
_DIGIT = 9  # bits, at most, when summed ranks are sorted
_PLACE = 28  # bits that hold the place of what is sorted


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
        NaN where the weight is 0.
    """
    n = order.shape[1]
    place, packed, own = np.empty(n, np.int32), np.empty(n), np.empty(n)
    kept, groups = np.empty(n + 1, np.int32), np.empty(n + 1, np.int32)
    no_levels = np.empty(0, np.int64)
    for d in range(weights.shape[0]):
        _pack(weights[d], place, packed)
        for k in range(order.shape[0]):
            _packed_ranks(order[k], starts[k], place, packed, kept, groups, own, no_levels)
            for a in range(n):
                ranks[d, k, a] = own[place[a]] if place[a] >= 0 else np.nan


@njit(cache=True, nogil=True)
def rank_products(order, starts, weights, n_first, kind, products):
    """Fill products (d, i, k) with Spearman's rho (or rho-a) of weighted values.

    Parameters
    ----------
    order, starts : arrays of shape (i + k, p)
        As in `rank_draws`; the first RDMs, then the second ones.
    weights : array of shape (d, p)
    n_first : int
    kind : int
        SPEARMAN or RHO_A.
    products : array of shape (d, i, k)
        NaN where a draw holds no pair, 0 where ranks have no spread.
    """
    n_rdms, n = order.shape
    place, packed = np.empty(n, np.int32), np.empty(n)
    kept, groups = np.empty(n + 1, np.int32), np.empty(n + 1, np.int32)
    no_levels = np.empty(0, np.int64)
    room, squares = np.empty(n_rdms * n), np.empty(n_rdms)
    for d in range(weights.shape[0]):
        m, total = _pack(weights[d], place, packed)
        if m == 0:
            products[d] = np.nan
            continue
        ranks = room[: n_rdms * m].reshape(n_rdms, m)
        for k in range(n_rdms):
            _packed_ranks(order[k], starts[k], place, packed, kept, groups, ranks[k], no_levels)
            squares[k] = _centre(ranks[k], packed, total)
        for i in range(n_first):
            for b in range(m):
                ranks[i, b] *= packed[b]
        products[d] = np.dot(ranks[:n_first], ranks[n_first:].T)
        for i in range(n_first):
            for k in range(n_rdms - n_first):
                products[d, i, k] = _scaled(
                    products[d, i, k], squares[i], squares[n_first + k], total, kind
                )


@njit(cache=True, nogil=True)
def _pack(weights, place, packed):
    """Number the pairs a draw holds (-1: not held), and list their weights; how many, and sum."""
    m, total = 0, 0.0
    for a in range(len(weights)):
        held = weights[a] > 0
        place[a] = m if held else -1
        packed[m if held else 0] = weights[a] if held else packed[0]
        total += weights[a]
        m += held
    return m, total


@njit(cache=True, nogil=True)
def _packed_ranks(order, starts, place, weights, kept, groups, ranks, levels):
    """Mid-ranks, and where asked for levels from 1, of the pairs that a draw holds."""
    m, group = 0, 0
    for a in range(len(order)):  # without a branch, which nobody could foretell
        group += starts[a]
        kept[m] = place[order[a]]
        groups[m] = group
        m += kept[m] >= 0
    groups[m] = group + 1
    before, first, level = 0.5, 0, 0
    while first < m:
        total, last = weights[kept[first]], first + 1
        while groups[last] == groups[first]:
            total += weights[kept[last]]
            last += 1
        level += 1
        ranks[kept[first]] = before + 0.5 * total
        for a in range(first + 1, last):
            ranks[kept[a]] = before + 0.5 * total
        for a in range(first, last if len(levels) else first):
            levels[kept[a]] = level
        before += total
        first = last


@njit(cache=True, nogil=True)
def _centre(ranks, weights, total):
    """Subtract the mean rank; give the weighted sum of squares."""
    middle, square = 0.5 * (total + 1), 0.0
    for b in range(len(ranks)):
        ranks[b] -= middle
        square += weights[b] * ranks[b] * ranks[b]
    return square


@njit(cache=True, nogil=True)
def _scaled(product, square, other_square, total, kind):
    scale = (total * total * total - total) / 12
    if kind == SPEARMAN:
        scale = np.sqrt(square) * np.sqrt(other_square)
    if total <= 0:
        return np.nan
    return product / scale if scale > 0 else 0.0


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
def ceiling_draws(order, starts, member, weights, counts, kind, ceilings):
    """Fill ceilings (w, d, 2) with the lower and upper noise ceiling of every draw.

    Parameters
    ----------
    order, starts : arrays of shape (k, p)
        As in `rank_draws`.
    member : array of int of shape (k,)
        Subject of each RDM.
    weights : array of shape (d or 1, p)
    counts : array of shape (w, d, n_subjects)
        How often each subject is drawn, in each of w ways that share the draws of conditions; at
        least two of them are.
    kind : int
        One of SPEARMAN, RHO_A, TAU_A, TAU_B.
    ceilings : array of shape (w, d, 2)
    """
    n_rdms, n = order.shape
    place, packed = np.empty(n, np.int32), np.empty(n)
    kept, groups = np.empty(n + 1, np.int32), np.empty(n + 1, np.int32)
    ranks = np.empty((n_rdms, n))
    levels = np.empty((n_rdms, n if kind >= TAU_A else 0), np.int64)
    squares, upper = np.empty(n_rdms), np.empty(n_rdms)
    everyone, others = np.empty(n), np.empty(n)
    room = (
        np.empty(n),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(1 << _DIGIT, np.int64),
        np.empty(n, np.int64),
        np.empty(n, np.int64),
        np.empty(n + 2),
        np.empty(n + 2),
    )
    m, total = 0, 0.0
    for d in range(counts.shape[1]):
        if d < weights.shape[0]:  # one row serves all draws
            m, total = _pack(weights[d], place, packed)
            for k in range(n_rdms):
                _packed_ranks(order[k], starts[k], place, packed, kept, groups, ranks[k], levels[k])
                squares[k] = _centre(ranks[k, :m], packed, total)
        w = packed[:m]
        for way in range(counts.shape[0]):
            drawn = counts[way, d]
            everyone[:m] = 0.0
            for k in range(n_rdms):
                _add(everyone[:m], ranks[k], drawn[member[k]])
            square = _rank_pool(everyone[:m], w, total, kind, room)
            for k in range(n_rdms):
                upper[k] = _with_pool(square, ranks[k], levels[k], squares[k], w, total, kind, room)
            lower_sum, upper_sum, n_drawn = 0.0, 0.0, 0
            for s in range(len(drawn)):
                if drawn[s] <= 0:
                    continue
                others[:m] = everyone[:m]
                for k in range(n_rdms):
                    if member[k] == s:
                        _add(others[:m], ranks[k], -drawn[s])
                square = _rank_pool(others[:m], w, total, kind, room)
                low, high, n_own = 0.0, 0.0, 0
                for k in range(n_rdms):
                    if member[k] == s:
                        low += _with_pool(
                            square, ranks[k], levels[k], squares[k], w, total, kind, room
                        )
                        high += upper[k]
                        n_own += 1
                lower_sum += low / n_own
                upper_sum += high / n_own
                n_drawn += 1
            ceilings[way, d, 0] = lower_sum / n_drawn
            ceilings[way, d, 1] = upper_sum / n_drawn


@njit(cache=True, nogil=True)
def _add(pool, ranks, share):
    for b in range(len(pool)):
        pool[b] += share * ranks[b]


@njit(cache=True, nogil=True)
def _rank_pool(summed, weights, total, kind, room):
    """Rank summed ranks: weighted centred ranks and their square, or order and levels."""
    ranked, codes, spare, heads, order, levels, _, _ = room
    n = len(summed)
    codes = _sorted_codes(summed, codes, spare, heads)
    if kind >= TAU_A:
        level, last_key = 0, np.int64(-1)
        for a in range(n):
            key = codes[a] >> _PLACE
            level += key != last_key
            last_key = key
            order[a] = codes[a] & ((1 << _PLACE) - 1)
            levels[order[a]] = level
        return 0.0
    before, first, square = -0.5 * total, 0, 0.0
    while first < n:
        place, key = codes[first] & ((1 << _PLACE) - 1), codes[first] >> _PLACE
        size, last = weights[place], first + 1
        while last < n and codes[last] >> _PLACE == key:
            size += weights[codes[last] & ((1 << _PLACE) - 1)]
            last += 1
        rank = before + 0.5 * size
        ranked[place] = weights[place] * rank
        for a in range(first + 1, last):
            place = codes[a] & ((1 << _PLACE) - 1)
            ranked[place] = weights[place] * rank
        square += size * rank * rank
        before += size
        first = last
    return square


@njit(cache=True, nogil=True)
def _sorted_codes(summed, codes, spare, heads):
    """Sort by digits, with the place in the lowest bits: twice a sum is a whole number."""
    n = len(summed)
    if n == 0:
        return codes
    least = largest = np.int64(np.rint(2 * summed[0]))
    for b in range(n):
        codes[b] = np.int64(np.rint(2 * summed[b]))
        least, largest = min(least, codes[b]), max(largest, codes[b])
    for b in range(n):
        codes[b] = (codes[b] - least) << _PLACE | b
    n_bits = 0
    while (largest - least) >> n_bits > 0:
        n_bits += 1
    n_passes = -(-n_bits // _DIGIT)
    width = -(-n_bits // n_passes) if n_passes else 0
    for digit in range(n_passes):
        shift, mask = _PLACE + digit * width, (1 << width) - 1
        heads[: mask + 1] = 0
        for b in range(n):
            heads[(codes[b] >> shift) & mask] += 1
        upto = 0
        for value in range(mask + 1):
            upto, heads[value] = upto + heads[value], upto
        for b in range(n):
            value = (codes[b] >> shift) & mask
            spare[heads[value]] = codes[b]
            heads[value] += 1
        codes, spare = spare, codes
    return codes


@njit(cache=True, nogil=True)
def _with_pool(pool_square, ranks, levels, square, weights, total, kind, room):
    """Compare the ranked pool with one RDM's centred ranks (or levels)."""
    ranked, _, _, _, order, pool_levels, tree, sizes = room
    n = len(weights)
    if kind >= TAU_A:
        return _tau(order[:n], pool_levels, levels, weights, kind == TAU_B, tree, sizes)
    product = 0.0
    for b in range(n):
        product += ranked[b] * ranks[b]
    return _scaled(product, pool_square, square, total, kind)
