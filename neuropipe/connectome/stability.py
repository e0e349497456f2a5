"""Whether motifs are of the animals at hand alone: bootstrap, halves, animals left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectome.communities.choice import drop_small
from neuropipe.connectome.communities.search import fit_blocks
from neuropipe.connectome.factorization import Factors, fit_activity, squared_errors
from neuropipe.connectome.operators import AffinityTensor
from neuropipe.connectome.readings import (
    Window,
    component_graphs,
    graph_cosines,
    read_windows,
)
from neuropipe.connectome.restarts import fit_starts, matched
from neuropipe.connectome.tensor import TensorSource

__all__ = ["Bootstrap", "Explained", "SplitHalf", "bootstrap", "explained", "split_half"]

_STARTS, _ITERATIONS, _RUNS = 2, 60, 2
_BLOCKS = 12  # of time, drawn where there are fewer than three animals
_FEW = 3


@dataclass(frozen=True)
class Bootstrap:
    """Agreement of refits on drawn animals with the fit on all.

    Parameters
    ----------
    components : array of shape (n_draws, rank)
        Cosine of each component's graph with its match in the draw; see `graph_cosines`.
    units : array of shape (n_draws, n_windows, n_units)
        Jaccard index of the units that share a block with a unit in a window, in the draw and in
        all.
    members : array of shape (n_draws, rank, n_units)
        The same in each component.
    """

    components: np.ndarray
    units: np.ndarray
    members: np.ndarray


@dataclass(frozen=True)
class SplitHalf:
    """Likeness of the components of two halves.

    Parameters
    ----------
    value : float
        Mean cosine over the graphs of matched components; mean over splits.
    null : array of shape (n_permutations,)
        The same after one half's units are shuffled.
    what : str
        What was halved.
    """

    value: float
    null: np.ndarray
    what: str


@dataclass(frozen=True)
class Explained:
    """Share of each animal's affinities that components explain.

    Parameters
    ----------
    own : array of shape (n_animals,)
        Components of all animals, this one among them.
    others : array of shape (n_animals,)
        Components fitted without this animal; only their activity is fitted to it. NaN with one
        animal.
    static : array of shape (n_animals,)
        One pattern in place of components, fitted as `others` (as `own` with one animal).
    shifted : array of shape (n_animals,)
        As `others`, on circularly shifted traces of this animal.
    """

    own: np.ndarray
    others: np.ndarray
    static: np.ndarray
    shifted: np.ndarray


def _resampled(source: TensorSource, rng: np.random.Generator) -> TensorSource:
    """Draw animals with replacement, or blocks of time where there are too few."""
    if source.n_animals >= _FEW:
        return source.with_animals(rng.integers(source.n_animals, size=source.n_animals))
    block = np.arange(source.n_samples) * _BLOCKS // source.n_samples
    drawn = rng.integers(_BLOCKS, size=_BLOCKS)
    return source.with_samples(np.concatenate([np.flatnonzero(block == b) for b in drawn]))


def bootstrap(
    source: TensorSource,
    factors: Factors,
    windows: list[Window],
    labels: np.ndarray,
    component_labels: np.ndarray,
    *,
    n_draws: int,
    min_weight: float,
    seed: int = 0,
) -> Bootstrap:
    """Refit on animals (or blocks of time) drawn with replacement.

    Parameters
    ----------
    source : TensorSource
    factors : Factors
        Of all animals.
    windows : list of Window
    labels : array of int of shape (n_windows, n_units)
        Blocks of all animals, in the windows.
    component_labels : array of int of shape (rank, n_units)
        The same in the components.
    n_draws : int
    min_weight : float
    seed : int
    """
    rng = np.random.default_rng(seed)
    whole = source.tensor
    own = component_graphs(factors, source.n_units)
    cosines, units, members = [], [], []
    for _ in range(n_draws):
        drawn = _resampled(source, rng)
        start = int(rng.integers(2**31))
        found = fit_starts(drawn, factors.rank, _STARTS, max_iterations=_ITERATIONS, seed=start)[0]
        graphs = component_graphs(found, source.n_units)
        partner, cosine = matched(graph_cosines(own, graphs))
        cosines.append(cosine)
        members.append(
            [
                _jaccard(a, _blocks(graphs[match], min_weight, start))
                for a, match in zip(component_labels, partner, strict=True)
            ]
        )
        activity = fit_activity(whole, found) * found.slices[0]
        read = read_windows(
            found,
            activity,
            source.n_units,
            windows,
            n_runs=_RUNS,
            min_weight=min_weight,
            seed=start,
        )
        units.append([_jaccard(a, b.labels) for a, b in zip(labels, read, strict=True)])
    return Bootstrap(
        np.array(cosines).reshape(n_draws, factors.rank),
        np.array(units).reshape(n_draws, len(windows), source.n_units),
        np.array(members).reshape(n_draws, factors.rank, source.n_units),
    )


def _blocks(graph: np.ndarray, min_weight: float, seed: int) -> np.ndarray:
    kept = drop_small(graph, min_weight)
    return fit_blocks(kept, degree_corrected=False, n_runs=_RUNS, seed=seed).labels


def _jaccard(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Overlap of each unit's companions in two partitions, itself among them."""
    first, second = a[:, None] == a, b[:, None] == b
    return np.asarray((first & second).sum(axis=1) / (first | second).sum(axis=1))


def split_half(
    source: TensorSource, rank: int, *, n_splits: int = 3, n_permutations: int = 99, seed: int = 0
) -> SplitHalf:
    """Fit two halves of the animals (or of the time) apart and compare their components.

    Parameters
    ----------
    source : TensorSource
    rank : int
    n_splits : int
    n_permutations : int
    seed : int
    """
    rng = np.random.default_rng(seed)
    by_animal = source.n_animals >= 4  # two a half
    n = source.n_animals if by_animal else _BLOCKS
    values, nulls = [], []
    for _ in range(n_splits):
        half = rng.permutation(n) < n // 2
        if by_animal:
            parts = [source.with_animals(half), source.with_animals(~half)]
        else:
            inside = half[np.arange(source.n_samples) * _BLOCKS // source.n_samples]
            parts = [source.with_samples(inside), source.with_samples(~inside)]
        one, two = (
            component_graphs(
                fit_starts(
                    part, rank, _STARTS, max_iterations=_ITERATIONS, seed=int(rng.integers(2**31))
                )[0],
                source.n_units,
            )
            for part in parts
        )
        values.append(_likeness(one, two))
        orders = [rng.permutation(source.n_units) for _ in range(n_permutations)]
        nulls.append([_likeness(one, [g[np.ix_(k, k)] for g in two]) for k in orders])
    what = "animals" if by_animal else "time"
    return SplitHalf(float(np.mean(values)), np.mean(nulls, axis=0), what)


def _likeness(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    return float(matched(graph_cosines(a, b))[1].mean())


def explained(
    source: TensorSource, factors: Factors, *, n_folds: int = 5, seed: int = 0
) -> Explained:
    """How well components of other animals explain each animal.

    Parameters
    ----------
    source : TensorSource
    factors : Factors
        Of all animals.
    n_folds : int
        Groups of animals that are left out together.
    seed : int
    """
    rng = np.random.default_rng(seed)
    n = source.n_animals
    own, others, static, shifted = (np.full(n, np.nan) for _ in range(4))
    folds = np.array_split(rng.permutation(n), min(n, n_folds))
    for fold in folds:
        kept = np.setdiff1d(np.arange(n), fold)
        left = source.with_animals(fold)
        true, null = (part.tensor for part in (left, left.shifted(rng)))
        own[fold] = _share(true, factors, source.own_clocks)
        training = source.with_animals(kept) if len(kept) else source
        fitted = [
            fit_starts(
                training, rank, _STARTS, max_iterations=_ITERATIONS, seed=int(rng.integers(2**31))
            )[0]
            for rank in (factors.rank, 1)
        ]
        static[fold] = _share(true, fitted[1], source.own_clocks)
        shifted[fold] = _share(null, fitted[0], source.own_clocks)
        if len(kept):
            others[fold] = _share(true, fitted[0], source.own_clocks)
    return Explained(own, others, static, shifted)


def _share(tensor: AffinityTensor, factors: Factors, own_clocks: bool) -> np.ndarray:
    """1 - error / size of each animal; on a shared clock the time courses are the components'."""
    activity = fit_activity(tensor, factors, share_times=not own_clocks)
    return np.asarray(1 - squared_errors(tensor, factors, activity) / tensor.squared_norms)
