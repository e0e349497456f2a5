"""Hierarchy of blocks: blocks of units, blocks of blocks, up to one (Peixoto 2014)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectome.communities.blockmodel import (
    block_model,
    block_sums,
    count_cost,
    count_model,
    description_length,
    flat_cost,
)
from neuropipe.connectome.communities.search import Blocks, search


@dataclass(frozen=True)
class Hierarchy:
    """Partitions of the units, each joining blocks of the one before.

    Parameters
    ----------
    levels : tuple of arrays of int of shape (n_units,)
        Block of each unit; level 0 is the partition that the hierarchy was built on, the last level
        is one block.
    lengths : tuple of float
        Nats of each level: weights, edges and partition at level 0 where the numbers of edges
        between its blocks are known; those numbers at level 1 and up.
    """

    levels: tuple[np.ndarray, ...]
    lengths: tuple[float, ...]

    @property
    def description_length(self) -> float:
        """Sum of the levels, nats."""
        return float(sum(self.lengths))


def nest_blocks(
    weights: np.ndarray, blocks: Blocks, *, n_runs: int = 5, seed: int = 0
) -> Hierarchy:
    """Fit block models to the graph of blocks until one block is left.

    Parameters
    ----------
    weights : array of shape (n_units, n_units)
        The graph that `blocks` was fitted to.
    blocks : Blocks
        Level 0; it stays as it is.
    n_runs : int
        Runs of the search at every level.
    seed : int

    Returns
    -------
    Hierarchy

    Notes
    -----
    A level is a multigraph whose nodes are the blocks of the level before and whose edges those
    between their units; its own edge counts are coded by the next level, those of the last level,
    one block, by one number (Peixoto 2014, Phys. Rev. X 4, 011047, eq. 5 to 7).
    """
    model = block_model(weights, degree_corrected=blocks.degree_corrected)
    sums = block_sums(model, blocks.labels)
    coded = count_cost(model, sums)[np.triu_indices(len(sums))].sum()
    levels = [blocks.labels]
    lengths = [description_length(model, blocks.labels) - float(coded)]
    counts = np.round(sums[..., 0])
    while len(counts) > 1:
        graph = count_model(counts)
        labels, _ = search(graph, n_runs=n_runs, seed=seed)
        if labels.max() + 1 == len(counts):  # nothing merges any more: the top is one block
            labels = np.zeros(len(counts), dtype=int)
        levels.append(labels[levels[-1]])
        coded_next = flat_cost(int(labels.max()) + 1, float(np.triu(counts).sum()))
        lengths.append(description_length(graph, labels) - coded_next)
        counts = np.round(block_sums(graph, labels)[..., 0])
    lengths[-1] += float(np.log(counts.sum() + 1))
    return Hierarchy(tuple(levels), tuple(lengths))
