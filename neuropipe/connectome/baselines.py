"""What must stand beside the factorization: communities of windows of time by simpler means.

Axis legend: w animals, n units, t samples, k windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import rankdata

from neuropipe.connectome.affinity import rates_of_change, rises_and_falls
from neuropipe.connectome.baselines_tensor import factorized_affinity, tca_partitions
from neuropipe.connectome.communities.modularity import louvain, louvain_unweighted, surprise
from neuropipe.connectome.settings import AffinitySettings
from neuropipe.connectome.windows import residual
from neuropipe.errors import InputError
from neuropipe.stats.connectivity_matrices import mean_correlation

__all__ = [
    "METHODS",
    "Windows",
    "baseline_partitions",
    "mean_affinity",
    "sliding_partitions",
]

_DENSITY = 0.1  # share of the pairs that are edges of an unweighted graph
_TCA_BIN = 1.0  # s


@dataclass(frozen=True)
class Windows:
    """Traces and the windows of time whose communities are asked for.

    Parameters
    ----------
    traces : array of shape (w, n, t)
        On one time axis; NaN where the animal lacks the unit.
    sampling_rate : float
        In Hz.
    bounds : array of int of shape (k, 2)
        Start and stop of each window, in samples.
    shown : array of bool of shape (w, k), optional
        Which animals show a window's communities; only the oracle may know. Default: all.
    """

    traces: np.ndarray
    sampling_rate: float
    bounds: np.ndarray
    shown: np.ndarray | None = None

    def parts(self) -> list[np.ndarray]:
        """Traces of each window."""
        return [self.traces[..., start:stop] for start, stop in self.bounds]


def baseline_partitions(
    data: Windows,
    methods: Sequence[str] | None = None,
    *,
    rank: int = 8,
    n_starts: int = 2,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Find the communities of every window by every method.

    Parameters
    ----------
    data : Windows
    methods : sequence of str, optional
        Of `METHODS`; default: all.
    rank : int
        Components of the factorizations.
    n_starts : int
        Random starts of the factorizations.
    seed : int

    Returns
    -------
    dict of str to array of int of shape (k, n)
        Labels by method. Label numbers of different windows have nothing to do with each other.

    Raises
    ------
    InputError
        If a method is not known.

    Notes
    -----
    Non-negative matrix communities (NNSED, GNNS), Combo and WormTensor are not among the methods:
    none of the packages in use provides them.
    """
    chosen = list(METHODS) if methods is None else list(methods)
    unknown = [name for name in chosen if name not in METHODS]
    if unknown:
        raise InputError(f"method {unknown[0]!r}", f"one of {', '.join(METHODS)}", "correct it")
    return {name: METHODS[name](data, rank=rank, n_starts=n_starts, seed=seed) for name in chosen}


def mean_affinity(rates: np.ndarray, presence: np.ndarray, kind: str) -> np.ndarray:
    """Affinity of all pairs, mean over samples and over the animals that have both units.

    Parameters
    ----------
    rates : array of shape (w, n, t)
        See `affinity.rates_of_change`.
    presence : array of bool of shape (w, n)
    kind : {"geo", "prod"}

    Returns
    -------
    array of shape (n, n)
        0 on the diagonal; NaN for pairs that no animal has.
    """
    # min is no product of the units' parts and would need all pairs at all samples.
    settings = AffinitySettings.model_validate({"kind": kind})
    total = np.zeros((rates.shape[1], rates.shape[1]))
    for rate, there in zip(rates.astype(float), presence, strict=True):
        for part in rises_and_falls(rate * there[:, None], settings):
            total += part @ part.T / part.shape[1]
    count = presence.T.astype(float) @ presence
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    np.fill_diagonal(mean, 0)
    return np.asarray(mean)


def sliding_partitions(
    data: Windows, *, length: int, step: int, n_states: int, seed: int = 0
) -> np.ndarray:
    """Communities of states: clusters of the correlations of short, overlapping windows.

    Parameters
    ----------
    data : Windows
    length, step : int
        Of the short windows, in samples.
    n_states : int
        Clusters of k-means.
    seed : int

    Returns
    -------
    array of int of shape (k, n)
        Louvain on the mean correlation of the state that most short windows with their middle in
        the window are in.

    Notes
    -----
    After Allen et al. 2014 (Cereb. Cortex 24, 663). Correlations are averaged over animals first:
    no animal has all pairs.
    """
    from sklearn.cluster import KMeans

    n_samples = data.traces.shape[-1]
    starts = np.arange(0, n_samples - length + 1, step)
    matrices = np.stack([mean_correlation(data.traces[..., s : s + length]) for s in starts])
    vectors = matrices[:, *np.triu_indices(matrices.shape[1], k=1)]
    states = KMeans(min(n_states, len(starts)), n_init=10, random_state=seed).fit_predict(vectors)
    middle = starts + length // 2
    labels = []
    for start, stop in data.bounds:
        inside = (middle >= start) & (middle < stop)
        inside[np.abs(middle - (start + stop) / 2).argmin()] = True
        state = np.bincount(states[inside]).argmax()
        labels.append(louvain(matrices[states == state].mean(axis=0), seed=seed))
    return np.stack(labels)


def _static(data: Windows, *, seed: int, **_: int) -> np.ndarray:
    labels = louvain(mean_correlation(data.traces), seed=seed)
    return np.tile(labels, (len(data.bounds), 1))


def _sliding(data: Windows, *, seed: int, **_: int) -> np.ndarray:
    shortest = int(np.diff(data.bounds, axis=1).min())
    length = max(4, shortest // 2)
    return sliding_partitions(
        data, length=length, step=max(1, length // 4), n_states=len(data.bounds), seed=seed
    )


def _oracle(data: Windows, *, seed: int, **_: int) -> np.ndarray:
    everywhere = np.ones((len(data.traces), len(data.bounds)), dtype=bool)
    shown = everywhere if data.shown is None else data.shown
    parts = zip(data.parts(), shown.T, strict=True)
    return np.stack([louvain(mean_correlation(part[who]), seed=seed) for part, who in parts])


def _unweighted(data: Windows, *, seed: int, **_: int) -> np.ndarray:
    labels = []
    for weights in map(mean_correlation, data.parts()):
        lowest = np.quantile(weights[np.triu_indices(len(weights), k=1)], 1 - _DENSITY)
        labels.append(louvain_unweighted(weights, threshold=max(lowest, 0.0), seed=seed))
    return np.stack(labels)


def _surprise(data: Windows, *, seed: int, **_: int) -> np.ndarray:
    return np.stack([surprise(mean_correlation(part), seed=seed) for part in data.parts()])


def _spearman(data: Windows, *, seed: int, **_: int) -> np.ndarray:
    ranks = [rankdata(part, axis=-1, nan_policy="propagate") for part in data.parts()]
    return _of_residuals([np.maximum(mean_correlation(part), 0) for part in ranks], seed)


def _affinities(data: Windows, *, kind: str, seed: int, **_: int) -> np.ndarray:
    """The method without its factorization."""
    rates = rates_of_change(data.traces, data.sampling_rate, AffinitySettings())
    presence = np.isfinite(data.traces).any(axis=-1)
    means = [mean_affinity(rates[..., start:stop], presence, kind) for start, stop in data.bounds]
    return _of_residuals(means, seed)


def _factorized(data: Windows, *, masked: bool, rank: int, n_starts: int, seed: int) -> np.ndarray:
    found = factorized_affinity(
        data.traces,
        data.sampling_rate,
        data.bounds,
        masked=masked,
        rank=rank,
        n_starts=n_starts,
        seed=seed,
    )
    return _of_residuals(found, seed)


def _tca(data: Windows, *, rank: int, seed: int, **_: int) -> np.ndarray:
    bin_frames = max(1, round(_TCA_BIN * data.sampling_rate))
    return tca_partitions(data.parts(), rank=rank, bin_frames=bin_frames, seed=seed)


def _of_residuals(affinities: Sequence[np.ndarray], seed: int) -> np.ndarray:
    return np.stack([louvain(residual(one), seed=seed) for one in affinities])


#: Functions of `Windows` by the name of the method.
METHODS: dict[str, Callable[..., np.ndarray]] = {
    "static correlation": _static,
    "sliding windows, k-means": _sliding,
    "oracle: window correlation": _oracle,
    "window correlation, unweighted": _unweighted,
    "window correlation, Surprise": _surprise,
    "Spearman affinity": _spearman,
    "derivative product": partial(_affinities, kind="prod"),
    "affinity without factorization": partial(_affinities, kind="geo"),
    "factorization, zero fill": partial(_factorized, masked=False),
    "factorization": partial(_factorized, masked=True),
    "TCA": _tca,
}
