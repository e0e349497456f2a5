"""Partitions and the search among them, compiled; `search` is the way in.

A `State` keeps the sums between blocks, so that moving one unit costs O(n_blocks) to judge and
O(n_units) to carry out. The third axis of `pairs`, `profiles` and `blocks` is (edges, known pairs,
q, q squared, weight / c), see `blockmodel`; description lengths here leave out what is the same for
all partitions. Blocks 0 to B - 1 are in use, none is empty; rows and columns of the others are 0.

One run merges blocks from one unit a block down to one block (Peixoto 2014, Phys. Rev. E 89,
012804), moving units greedily at every number of blocks on the way, takes the best partition seen
and improves it by moves, merges, splits and merge-splits (Peixoto 2020, Phys. Rev. E 102, 012305,
here without temperature) until none of them shortens the description.

All kernels stand in one file because numba's cache on disk does not notice a change in another.
"""

# What numpy's scalars are is numba's business here, and it checks it.
# mypy: disable-error-code="no-any-return, arg-type, assignment"

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numba import njit

PLAIN, CORRECTED, COUNTS = 0, 1, 2
_SUMS = 5  # that are kept of two blocks

_SHRINK = 1.3  # blocks before and after a round of merges
_CANDIDATES = 10  # blocks that are tried for a unit or as a partner of a block
_SWEEPS = 10  # over all units, at most
_SPLITS = 4  # halves of a block that are tried
_ROUNDS = 20  # of all kinds of change, at most
_LEAST = 1e-7  # nats; a smaller gain is none

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile on the first call, keep the machine code on disk, and run without the GIL.

    Checks of divisions would keep `cost` from being inlined and make everything 5 times slower.
    """
    return cast(_Function, njit(cache=True, nogil=True, error_model="numpy")(function))


class State(NamedTuple):
    """A partition and its sums.

    Parameters
    ----------
    form : int
        PLAIN, CORRECTED or COUNTS.
    n_edges : int
        Of a graph of counts; 0 in other forms.
    prior_missing, log_missing : float
        d of the Beta(1, d) prior, and log d.
    log_factorial, log_gamma : array
        log k! and log Gamma(k + d) for every k that can occur.
    pairs : array of shape (n_units, n_units, 5)
    neighbours : array of int of shape (n_units, n_units)
        Of each unit, `degrees` many first.
    degrees : array of int of shape (n_units,)
    random : array of uint64 of shape (1,)
        State of the random numbers.
    fixed : array of bool of shape (1,)
        Whether moves of units must leave the number of blocks as it is.
    n_blocks : array of int of shape (1,)
        B.
    labels : array of int of shape (n_units,)
    sizes : array of int of shape (n_units,)
        Units of each block.
    profiles : array of shape (n_units, n_units, 5)
        [s, i]: sums over the pairs of unit i with the units of block s.
    blocks : array of shape (n_units, n_units, 5)
        [r, s]: sums over the pairs of blocks r and s; inside a block each pair once.
    costs : array of shape (n_units, n_units)
        [r, s]: what `blocks` costs.
    """

    form: int
    n_edges: int
    prior_missing: float
    log_missing: float
    log_factorial: np.ndarray
    log_gamma: np.ndarray
    pairs: np.ndarray
    neighbours: np.ndarray
    degrees: np.ndarray
    random: np.ndarray
    fixed: np.ndarray
    n_blocks: np.ndarray
    labels: np.ndarray
    sizes: np.ndarray
    profiles: np.ndarray
    blocks: np.ndarray
    costs: np.ndarray


@compiled
def below(random: np.ndarray, n: int) -> int:
    """Draw a whole number from 0 to n - 1 (SplitMix64, Steele et al. 2014)."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    z = random[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return int((z >> np.uint64(32)) * np.uint64(n) >> np.uint64(32))


@compiled
def shuffle(random: np.ndarray, values: np.ndarray) -> None:
    """Put values into random order."""
    for k in range(len(values) - 1, 0, -1):
        j = below(random, k + 1)
        values[k], values[j] = values[j], values[k]


@compiled
def cost(state: State, edges: float, known: float, q: float, square: float, weight: float) -> float:
    """-log P of the edges and weights of two blocks."""
    table = state.log_factorial
    m, n = int(edges + 0.5), int(known + 0.5)
    if state.form == COUNTS:
        n = max(n, 1)
        return table[n + m - 1] - table[m] - table[n - 1]
    d, gamma = state.prior_missing, state.log_gamma
    found = gamma[n + 1] - gamma[n - m] - 2 * table[m] - state.log_missing
    found += (m + 1) * log(weight + 1)
    if state.form == CORRECTED and n > 0:
        mean = q / n
        found += m * log(mean) + (n - m) * log(1 - mean)
        shift = ((m + 1) / (n + 1 + d) - mean) / (mean * (1 - mean))
        found -= max(square - q * mean, 0.0) * shift * shift / 2
    return found


@compiled
def cost_of(state: State, sums: np.ndarray) -> float:
    """`cost` of the sums of two blocks."""
    return cost(state, sums[0], sums[1], sums[2], sums[3], sums[4])


@compiled
def cost_with(state: State, sums: np.ndarray, more: np.ndarray, sign: int) -> float:
    """`cost` of sums + sign * more."""
    return cost(
        state,
        sums[0] + sign * more[0],
        sums[1] + sign * more[1],
        sums[2] + sign * more[2],
        sums[3] + sign * more[3],
        sums[4] + sign * more[4],
    )


@compiled
def rebuild(state: State, labels: np.ndarray, n_blocks: int) -> None:
    """Take over a partition into blocks 0 to n_blocks - 1 and sum everything anew."""
    n = len(labels)
    used = max(n_blocks, state.n_blocks[0])
    state.n_blocks[0] = n_blocks
    state.profiles[:used] = 0
    state.blocks[:used, :used] = 0
    state.costs[:used, :used] = 0
    state.sizes[:] = 0
    for i in range(n):
        state.labels[i] = labels[i]
        state.sizes[labels[i]] += 1
    for i in range(n):
        r = labels[i]
        for j in range(n):
            if j != i:
                for c in range(_SUMS):
                    state.profiles[r, j, c] += state.pairs[i, j, c]
    for i in range(n):
        r = labels[i]
        for s in range(n_blocks):
            share = 0.5 if r == s else 1.0
            for c in range(_SUMS):
                state.blocks[r, s, c] += share * state.profiles[s, i, c]
        for c in range(_SUMS):
            state.blocks[r, r, c] += state.pairs[i, i, c]
    for r in range(n_blocks):
        for s in range(n_blocks):
            one = state.blocks[r, s]
            state.costs[r, s] = cost_of(state, one)


@compiled
def flat_cost(state: State, n_blocks: int) -> float:
    """Cost of the numbers of edges of all pairs of blocks; see `blockmodel.flat_cost`."""
    table, cells = state.log_factorial, n_blocks * (n_blocks + 1) // 2
    return table[cells + state.n_edges - 1] - table[state.n_edges] - table[cells - 1]


@compiled
def prior_change(state: State, added: int) -> float:
    """Change of log C(n - 1, B - 1) when B grows by `added`."""
    table, n = state.log_factorial, len(state.labels)
    before, after = state.n_blocks[0], state.n_blocks[0] + added
    found = table[before - 1] + table[n - before] - table[after - 1] - table[n - after]
    if state.form == COUNTS and added != 0:
        found += flat_cost(state, after) - flat_cost(state, before)
    return found


@compiled
def total(state: State) -> float:
    """Description length."""
    table, n, b = state.log_factorial, len(state.labels), state.n_blocks[0]
    found = log(n) + table[n - 1] - table[b - 1] - table[n - b] + table[n]
    for r in range(b):
        found -= table[state.sizes[r]]
        for s in range(r + 1):
            found += state.costs[r, s]
    return found + (flat_cost(state, b) if state.form == COUNTS else 0.0)


@compiled
def removal(state: State, i: int, profile: np.ndarray, removed: np.ndarray) -> float:
    """First half of a move's change: unit i leaves its block.

    Fills ``profile`` (shape (B + 4, 5)) with the sums of unit i to each block (the rest is work
    space) and ``removed`` (shape (B,)) with the change of the cost of its block and every other
    one; returns their sum.
    """
    r, b = state.labels[i], state.n_blocks[0]
    out = 0.0
    profile[b] = 0
    for t in range(b):
        for c in range(_SUMS):
            profile[t, c] = state.profiles[t, i, c]
        if t != r:
            one, p = state.blocks[r, t], profile[t]
            removed[t] = cost_with(state, one, p, -1)
            removed[t] -= state.costs[r, t]
            out += removed[t]
    return out


@compiled
def insertion(
    state: State, i: int, s: int, profile: np.ndarray, removed: np.ndarray, out: float
) -> float:
    """Change of the description length when unit i goes to block s (B: a new one)."""
    r, b, table = state.labels[i], state.n_blocks[0], state.log_factorial
    blocks, costs, own = state.blocks, state.costs, state.pairs[i, i]
    p, q = profile[r], profile[s]
    change = out
    for t in range(b):
        if t != r and t != s:
            one, also = blocks[s, t], profile[t]
            change += cost_with(state, one, also, 1)
            change -= costs[s, t]
    if s < b:
        change -= removed[s]
    change -= costs[r, s] + costs[r, r] + costs[s, s]
    between, left, joined = profile[b + 1], profile[b + 2], profile[b + 3]
    for c in range(_SUMS):
        between[c] = blocks[r, s, c] + p[c] - q[c]
        left[c] = blocks[r, r, c] - p[c] - own[c]
        joined[c] = blocks[s, s, c] + q[c] + own[c]
    change += cost_of(state, between) + cost_of(state, left) + cost_of(state, joined)
    size, other = state.sizes[r], state.sizes[s]
    change += table[size] + table[other] - table[size - 1] - table[other + 1]
    added = (1 if s == b else 0) - (1 if size == 1 else 0)
    return change + prior_change(state, added)


@compiled
def move_change(state: State, i: int, s: int) -> float:
    """Change of the description length when unit i goes to block s; 0 for its own block."""
    if s == state.labels[i]:
        return 0.0
    profile = np.empty((state.n_blocks[0] + 4, _SUMS))
    removed = np.empty(state.n_blocks[0])
    out = removal(state, i, profile, removed)
    return insertion(state, i, s, profile, removed, out)


@compiled
def move(state: State, i: int, s: int) -> None:
    """Move unit i to another block s (B: a new one); an emptied block is dropped."""
    r, n = state.labels[i], len(state.labels)
    if s == state.n_blocks[0]:
        state.n_blocks[0] += 1
    b = state.n_blocks[0]
    blocks, costs, profiles = state.blocks, state.costs, state.profiles
    for t in range(b):
        if t != r and t != s:
            for c in range(_SUMS):
                blocks[r, t, c] -= profiles[t, i, c]
                blocks[s, t, c] += profiles[t, i, c]
                blocks[t, r, c], blocks[t, s, c] = blocks[r, t, c], blocks[s, t, c]
    for c in range(_SUMS):
        p, q, own = profiles[r, i, c], profiles[s, i, c], state.pairs[i, i, c]
        blocks[r, s, c] += p - q
        blocks[s, r, c] = blocks[r, s, c]
        blocks[r, r, c] -= p + own
        blocks[s, s, c] += q + own
    for t in range(b):
        one = blocks[r, t]
        costs[r, t] = costs[t, r] = cost_of(state, one)
        one = blocks[s, t]
        costs[s, t] = costs[t, s] = cost_of(state, one)
    for j in range(n):
        if j != i:
            for c in range(_SUMS):
                profiles[r, j, c] -= state.pairs[i, j, c]
                profiles[s, j, c] += state.pairs[i, j, c]
    state.sizes[r] -= 1
    state.sizes[s] += 1
    state.labels[i] = s
    if state.sizes[r] == 0:
        drop(state, r)


@compiled
def drop(state: State, r: int) -> None:
    """Give the number of an empty block to the last one."""
    n, last = len(state.labels), state.n_blocks[0] - 1
    blocks, costs = state.blocks, state.costs
    for i in range(n):
        if state.labels[i] == last:
            state.labels[i] = r
    state.sizes[r] = state.sizes[last]
    state.sizes[last] = 0
    for c in range(_SUMS):
        for i in range(n):
            state.profiles[r, i, c] = state.profiles[last, i, c]
            state.profiles[last, i, c] = 0
        blocks[r, r, c] = blocks[last, last, c]
        for t in range(last + 1):
            if t != r and t != last:
                blocks[r, t, c] = blocks[t, r, c] = blocks[last, t, c]
            blocks[last, t, c] = blocks[t, last, c] = 0
    costs[r, r] = costs[last, last]
    for t in range(last + 1):
        if t != r and t != last:
            costs[r, t] = costs[t, r] = costs[last, t]
        costs[last, t] = costs[t, last] = 0
    state.n_blocks[0] = last


@compiled
def merge_change(state: State, r: int, s: int) -> float:
    """Change of the description length when blocks r and s become one."""
    blocks, costs, table = state.blocks, state.costs, state.log_factorial
    change = 0.0
    for t in range(state.n_blocks[0]):
        if t != r and t != s:
            one, also = blocks[r, t], blocks[s, t]
            change += cost_with(state, one, also, 1)
            change -= costs[r, t] + costs[s, t]
    one = blocks[r, r] + blocks[s, s] + blocks[r, s]
    change += cost_of(state, one) - costs[r, r] - costs[s, s] - costs[r, s]
    left, joined = state.sizes[r], state.sizes[s]
    change += table[left] + table[joined] - table[left + joined]
    return change + prior_change(state, -1)


@compiled
def merge(state: State, r: int, s: int) -> None:
    """Join block r to block s."""
    last = state.n_blocks[0] - 1
    labels = state.labels.copy()
    for i in range(len(labels)):
        if labels[i] == r:
            labels[i] = s
    for i in range(len(labels)):
        if labels[i] == last and r != last:
            labels[i] = r
    rebuild(state, labels, last)


@compiled
def candidates(state: State, i: int, found: np.ndarray) -> int:
    """Fill ``found`` with blocks to try for unit i and return their number.

    All of them where they are few; else blocks two edges away, where units with the same neighbours
    are, and now and then any block.
    """
    b = state.n_blocks[0]
    if b <= len(found):
        for s in range(b):
            found[s] = s
        return b
    for k in range(len(found)):
        if state.degrees[i] == 0 or below(state.random, 10) == 0:
            found[k] = below(state.random, b)
        else:
            j = state.neighbours[i, below(state.random, state.degrees[i])]
            j = state.neighbours[j, below(state.random, state.degrees[j])]
            found[k] = state.labels[j]
    return len(found)


@compiled
def sweep(state: State) -> float:
    """Move every unit to the best of its candidates, in random order; return the change."""
    n = len(state.labels)
    profile, removed = np.empty((n + 4, _SUMS)), np.empty(n)
    tried = np.empty(_CANDIDATES, dtype=np.int64)
    gained = 0.0
    order = np.arange(n)
    shuffle(state.random, order)
    for i in order:
        r = state.labels[i]
        alone = state.sizes[r] == 1
        if alone and state.fixed[0]:
            continue
        out = removal(state, i, profile, removed)
        best, target = -_LEAST, -1
        for k in range(candidates(state, i, tried)):
            if tried[k] != r:
                change = insertion(state, i, tried[k], profile, removed, out)
                if change < best:
                    best, target = change, tried[k]
        if not (alone or state.fixed[0]):
            change = insertion(state, i, state.n_blocks[0], profile, removed, out)
            if change < best:
                best, target = change, state.n_blocks[0]
        if target >= 0:
            move(state, i, target)
            gained += best
    return gained


@compiled
def settle(state: State) -> None:
    """Sweep until nothing moves."""
    for _ in range(_SWEEPS):
        if sweep(state) > -_LEAST:
            break


@compiled
def merge_round(state: State, target: int) -> None:
    """Carry out the best merges of blocks, each block at most once, down to ``target`` blocks."""
    n, b = len(state.labels), state.n_blocks[0]
    partner = np.full(b, -1)
    change = np.full(b, np.inf)
    tried = np.empty(_CANDIDATES, dtype=np.int64)
    order = np.arange(n)
    shuffle(state.random, order)
    for i in order:  # a random member speaks for its block
        r = state.labels[i]
        if partner[r] >= 0:
            continue
        for k in range(candidates(state, i, tried)):
            s = tried[k]
            if s != r:
                found = merge_change(state, r, s)
                if found < change[r]:
                    change[r], partner[r] = found, s
    into = np.arange(b)
    merged = np.zeros(b, dtype=np.bool_)
    left = b
    while left > target:
        r = -1
        for t in range(b):
            free = partner[t] >= 0 and not merged[t] and not merged[partner[t]]
            if free and (r < 0 or change[t] < change[r]):
                r = t
        if r < 0:
            break
        merged[r] = merged[partner[r]] = True
        into[r] = partner[r]
        left -= 1
    number = np.full(b, -1)
    labels = np.empty(n, dtype=np.int64)
    count = 0
    for i in range(n):
        s = into[state.labels[i]]
        if number[s] < 0:
            number[s] = count
            count += 1
        labels[i] = number[s]
    rebuild(state, labels, left)


@compiled
def agglomerate(state: State) -> None:
    """Merge from one unit a block to one block and return to the best partition on the way."""
    n = len(state.labels)
    state.fixed[0] = True
    rebuild(state, np.arange(n), n)
    best, best_labels, best_count = total(state), state.labels.copy(), n
    while state.n_blocks[0] > 1:
        b = state.n_blocks[0]
        target = min(b - 1, int(b / _SHRINK))
        while state.n_blocks[0] > target:
            merge_round(state, target)
        settle(state)
        found = total(state)
        if found < best:
            best, best_count = found, state.n_blocks[0]
            best_labels[:] = state.labels
    rebuild(state, best_labels, best_count)


@compiled
def merge_all(state: State) -> None:
    """Merge the best pair of blocks as long as that shortens the description."""
    while state.n_blocks[0] > 1:
        best = -_LEAST
        first = second = state.n_blocks[0]  # none
        for r in range(state.n_blocks[0]):
            for s in range(r):
                change = merge_change(state, r, s)
                if change < best:
                    best, first, second = change, r, s
        if first == state.n_blocks[0]:
            break
        merge(state, first, second)


@compiled
def deal(state: State, members: np.ndarray, labels: np.ndarray, r: int, s: int) -> None:
    """Deal members out to blocks r and s: at random, or by whose neighbours they share.

    The first two of the shuffled members stand for the blocks then: a random half of a block that
    holds two groups often falls back to one.
    """
    size, one, two = len(members), members[0], members[1]
    cut = 1 + below(state.random, size - 1)
    by_neighbours = below(state.random, 2) == 0
    part = 0 if state.form == COUNTS else 4
    strength, other = 1e-300, 1e-300
    for j in range(len(labels)):
        strength += state.pairs[one, j, part]
        other += state.pairs[two, j, part]
    for k in range(size):
        i = members[k]
        first = k < cut
        if by_neighbours:
            like, unlike = 0.0, 0.0
            for j in range(len(labels)):
                like += state.pairs[i, j, part] * state.pairs[one, j, part] / strength
                unlike += state.pairs[i, j, part] * state.pairs[two, j, part] / other
            first = i != two and (i == one or like > unlike)
        labels[i] = r if first else s


@compiled
def divide(state: State, r: int, s: int) -> bool:
    """Deal the units of blocks r and s out anew, then move them greedily between the two.

    ``s = B`` divides block r. Keep the outcome if it shortens the description, else undo it.
    """
    before, count, n = total(state), state.n_blocks[0], len(state.labels)
    kept = state.labels.copy()
    members = np.empty(n, dtype=np.int64)
    size = 0
    for i in range(n):
        if kept[i] == r or kept[i] == s:
            members[size] = i
            size += 1
    members = members[:size]
    shuffle(state.random, members)
    labels = kept.copy()
    deal(state, members, labels, r, s)
    rebuild(state, labels, max(count, s + 1))
    profile, removed = np.empty((state.n_blocks[0] + 4, _SUMS)), np.empty(state.n_blocks[0])
    for _ in range(_SWEEPS):
        moved = False
        shuffle(state.random, members)
        for i in members:
            here = state.labels[i]
            if state.sizes[here] > 1:
                there = r + s - here
                out = removal(state, i, profile, removed)
                if insertion(state, i, there, profile, removed, out) < -_LEAST:
                    move(state, i, there)
                    moved = True
        if not moved:
            break
    if total(state) < before - _LEAST:
        return True
    rebuild(state, kept, count)
    return False


@compiled
def polish(state: State) -> None:
    """Move, merge, split and re-divide until none of it shortens the description."""
    state.fixed[0] = False
    for _ in range(_ROUNDS):
        settle(state)
        merge_all(state)
        improved = False
        for r in range(state.n_blocks[0]):
            for _ in range(_SPLITS):
                if state.sizes[r] > 1 and divide(state, r, state.n_blocks[0]):
                    improved = True
        for r in range(state.n_blocks[0]):
            for s in range(r):
                if divide(state, r, s):
                    improved = True
        if not improved:
            break
    settle(state)


@compiled
def run(state: State) -> float:
    """One run; returns its description length."""
    agglomerate(state)
    polish(state)
    rebuild(state, state.labels.copy(), state.n_blocks[0])
    return total(state)
