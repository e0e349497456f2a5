"""Fit of weighted stochastic block models: the shortest description of many runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from neuropipe.connectome.communities.blockmodel import (
    BlockModel,
    block_model,
    description_length,
)

if TYPE_CHECKING:
    from neuropipe.connectome.communities.kernels import State


@dataclass(frozen=True)
class Blocks:
    """A partition of the units of a graph and its description length.

    Parameters
    ----------
    labels : array of int of shape (n_units,)
        Block of each unit, 0 for the largest.
    description_length : float
        Nats; see `blockmodel`. Comparable between partitions of one graph in one form.
    gain : float
        Nats saved against one block for all units; 0 where there is only one.
    degree_corrected : bool
    run_lengths : array of shape (n_runs,)
        Description length that each run came to.
    """

    labels: np.ndarray
    description_length: float
    gain: float
    degree_corrected: bool
    run_lengths: np.ndarray

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return int(self.labels.max()) + 1


def fit_blocks(
    weights: np.ndarray,
    *,
    degree_corrected: bool,
    n_runs: int = 20,
    seed: int = 0,
) -> Blocks:
    """Find the partition of a weighted graph that describes it best.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
        Symmetric; an entry above 0 is an edge, NaN a pair of which nothing is known.
    degree_corrected : bool
        Whether units of one block may differ in their number of edges.
    n_runs : int
        Independent runs; a single one often stops short of the best partition.
    seed : int
        Run k draws from (seed, k): more runs never change earlier ones.

    Returns
    -------
    Blocks

    Raises
    ------
    InputError
        If the matrix is not square, symmetric and finite.

    Notes
    -----
    Method: see `kernels`. Releases the GIL while it runs.
    """
    model = block_model(weights, degree_corrected=degree_corrected)
    labels, lengths = search(model, n_runs=n_runs, seed=seed)
    length = description_length(model, labels)
    whole = description_length(model, np.zeros(model.n_units, dtype=int))
    return Blocks(labels, length, whole - length, degree_corrected, lengths)


def search(model: BlockModel, *, n_runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Run the search and keep the best partition.

    Parameters
    ----------
    model : BlockModel
    n_runs, seed
        See `fit_blocks`.

    Returns
    -------
    labels : array of int of shape (n_units,)
        By size, 0 for the largest block.
    lengths : array of shape (n_runs,)
        Description length of each run.
    """
    # Compiled code is loaded here, so that importing the package does not wait for numba.
    from neuropipe.connectome.communities.kernels import run

    state, constant = new_state(model)
    lengths = np.empty(n_runs)
    best = np.zeros(model.n_units, dtype=np.int64)
    for k in range(n_runs):
        state.random[:] = np.random.SeedSequence([seed, k]).generate_state(1, np.uint64)
        lengths[k] = run(state) + constant
        if lengths[k] <= lengths[:k].min(initial=np.inf):
            best = state.labels.copy()
    return by_size(best), lengths


def new_state(model: BlockModel) -> tuple[State, float]:
    """Make room for the compiled search.

    Returns
    -------
    state : kernels.State
        Without a partition.
    constant : float
        What its description lengths leave out.
    """
    from neuropipe.connectome.communities.kernels import CORRECTED, COUNTS, PLAIN, State

    n = model.n_units
    edges = float(np.triu(model.pairs[..., 0]).sum())
    longest = n * (n + 1) // 2 + 3 + (int(edges) if model.form == "counts" else 0)
    linked = model.pairs[..., 0] > 0
    np.fill_diagonal(linked, False)
    state = State(
        {"plain": PLAIN, "corrected": CORRECTED, "counts": COUNTS}[model.form],
        int(edges) if model.form == "counts" else 0,
        model.prior_missing,
        float(np.log(model.prior_missing)),
        gammaln(np.arange(longest) + 1.0),
        gammaln(np.arange(longest) + model.prior_missing),
        np.ascontiguousarray(model.pairs / [1.0, 1.0, 1.0, 1.0, model.mean_weight]),
        np.argsort(~linked, axis=1, kind="stable"),
        linked.sum(axis=1),
        np.zeros(1, dtype=np.uint64),
        np.zeros(1, dtype=np.bool_),
        np.zeros(1, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        np.zeros((n, n, 5)),
        np.zeros((n, n, 5)),
        np.zeros((n, n)),
    )
    return state, model.constant + edges * float(np.log(model.mean_weight))


def by_size(labels: np.ndarray) -> np.ndarray:
    """Number blocks from 0 by falling size; ties by their first unit."""
    _, first, inverse, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(rank[inverse])
