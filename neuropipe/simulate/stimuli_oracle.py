"""Simple readers of simulated data, to show that what was planted can be found again.

They know more than an analysis would (where a film's gate is, which lags matter), or do less; they
prove generators, not methods.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuropipe.simulate.populations import StimulusPopulation
from neuropipe.simulate.trains import SpikeTrains

Array = NDArray[np.float64]


def lagged_excess(
    spikes: SpikeTrains,
    *,
    first: float = 0.005,
    last: float = 0.030,
    bin_width: float = 0.001,
) -> Array:
    """Score every directed pair by the spikes of one unit that follow the other's.

    Parameters
    ----------
    spikes : SpikeTrains
    first, last : float
        Lags in s between which spikes are counted.
    bin_width : float
        In s.

    Returns
    -------
    array of shape (n_units, n_units)
        Target by source: counts between the lags, minus those at longer lags on both sides, over
        the square root of the latter; about N(0, 1) without a synapse.
    """
    counts = spikes.counts(bin_width).astype(np.float32)
    width = round((last - first) / bin_width)
    start = round(first / bin_width)
    # Far enough from zero that no delay reaches, near enough that slow common input is the same.
    flanks = (2 * start + width, -(2 * start + 2 * width))
    total = np.vstack([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0, dtype=np.float64)])
    inside, *outside = (_following(counts, total, lag, width) for lag in (start, *flanks))
    expected = np.maximum((outside[0] + outside[1]) / 2, 1.0)
    return np.asarray((inside - expected) / np.sqrt(expected))


def _following(counts: NDArray[np.float32], total: Array, lag: int, width: int) -> Array:
    """Sum over source spikes of target spikes at lags [lag, lag + width), (target, source)."""
    n_bins = len(counts)
    low = np.clip(np.arange(n_bins) + lag, 0, n_bins)
    high = np.clip(np.arange(n_bins) + lag + width, 0, n_bins)
    following = (total[high] - total[low]).astype(np.float32)
    return np.asarray(following.T @ counts, dtype=np.float64)


def edge_auc(score: Array, connected: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of absolute scores for synapses, off the diagonal."""
    from scipy.stats import rankdata

    off = ~np.eye(len(score), dtype=bool)
    rank, edge = rankdata(np.abs(score[off])), connected[off]
    n = edge.sum()
    return float((rank[edge].sum() - n * (n + 1) / 2) / (n * (len(edge) - n)))


def direction_accuracy(score: Array, connected: NDArray[np.bool_]) -> float:
    """Share of one-way synapses whose own direction has the larger absolute score."""
    one_way = connected & ~connected.T
    size = np.abs(score)
    return float(np.mean((size > size.T)[one_way]))


def gate_gain(population: StimulusPopulation) -> float:
    """Bits per spike that the true rates of gated units gain over the best additive model.

    Parameters
    ----------
    population : StimulusPopulation
        With gates by units.

    Returns
    -------
    float
        The additive model knows everything except that the gate is an exclusive or: it has the
        film's part of the rate, a constant, and a weight for each of the two gating units.
    """
    step, n_sources = population.frame_step, population.gated[0]
    counts = np.stack([spikes.counts(step) for spikes in population.repeats])  # (r, t, n)
    before = np.zeros((*counts.shape[:2], n_sources), dtype=bool)
    before[:, 1:] = counts[:, :-1, :n_sources] > 0
    gained = 0.0
    for unit, (a, b) in zip(population.gated, population.gates, strict=True):
        cell = 2 * before[..., a] + before[..., b]  # (r, t)
        gate = np.logical_xor(before[..., a], before[..., b])
        true = population.rates[..., unit].astype(np.float64) * step
        level = np.array([true[~gate].mean(), true[gate].mean()])
        film = true / level[gate.astype(int)]  # rate apart from the gate
        spikes = _cell_sums(cell, counts[..., unit])
        exposure = _cell_sums(cell, film)
        saturated = np.log(level[[0, 1, 1, 0]])
        design = np.array([[1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=float)
        additive = design @ _poisson_fit(design, spikes, exposure)
        gained += _likelihood(saturated, spikes, exposure)
        gained -= _likelihood(additive, spikes, exposure)
    return float(gained / counts[..., population.gated].sum() / np.log(2))


def _cell_sums(cell: NDArray[np.int_], values: NDArray[np.generic]) -> Array:
    """Sum values over the four states of two gating units."""
    sums = np.bincount(cell.ravel(), weights=values.ravel(), minlength=4)
    return np.asarray(sums, dtype=np.float64)


def _poisson_fit(design: Array, spikes: Array, exposure: Array) -> Array:
    """Maximum-likelihood log rates of a Poisson regression, by Newton's method."""
    weights = np.linalg.lstsq(design, np.log((spikes + 0.5) / (exposure + 0.5)), rcond=None)[0]
    for _ in range(30):
        expected = exposure * np.exp(design @ weights)
        curvature = design.T @ (expected[:, None] * design)
        weights += np.linalg.solve(curvature, design.T @ (spikes - expected))
    return np.asarray(weights)


def _likelihood(log_rate: Array, spikes: Array, exposure: Array) -> float:
    return float((spikes * log_rate - exposure * np.exp(log_rate)).sum())


def identify_regions(vectors: Array) -> float:
    """Leave-one-subject-out accuracy of the nearest centroid.

    Parameters
    ----------
    vectors : array of shape (n_subjects, n_regions, n_pairs)

    Returns
    -------
    float
        Share of regions of held-out subjects that lie nearest to the others' mean of that region.
    """
    n_subjects, n_regions = vectors.shape[:2]
    total = vectors.sum(axis=0)
    right = 0
    for own in vectors:
        centroids = (total - own) / (n_subjects - 1)
        distance = ((own[:, None] - centroids) ** 2).sum(axis=-1)
        right += int((distance.argmin(axis=1) == np.arange(n_regions)).sum())
    return float(right / (n_subjects * n_regions))


def geo_topological(vectors: Array, low: float, high: float) -> Array:
    """Ranks, cut off below one quantile and above another.

    Parameters
    ----------
    vectors : array of shape (..., n_pairs)
        Dissimilarities.
    low, high : float
        Quantiles, low < high; 0 and 1 give plain ranks.

    Returns
    -------
    array of shape (..., n_pairs)
        In [0, 1]; Lin & Kriegeskorte 2024, eq. 1-2.
    """
    from scipy.stats import rankdata

    rank = rankdata(vectors, axis=-1)
    bottom = np.quantile(rank, low, axis=-1, keepdims=True)
    top = np.quantile(rank, high, axis=-1, keepdims=True)
    return np.asarray(np.clip((rank - bottom) / np.maximum(top - bottom, 1e-12), 0, 1))
