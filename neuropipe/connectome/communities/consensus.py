"""One partition from many: restarts, bootstrap samples, recordings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectome.communities.modularity import weighted_graph
from neuropipe.connectome.communities.search import by_size
from neuropipe.errors import InputError

_STARTS = 5  # of the optimisation


@dataclass(frozen=True)
class Consensus:
    """A partition that agrees best with several, and how firm it is.

    Parameters
    ----------
    labels : array of int of shape (n_units,)
        0 for the largest community; -1 for a unit that no partition has.
    together : array of shape (n_units, n_units)
        Share of the partitions with both units that put them together; NaN where none has both.
    unit_stability : array of shape (n_units,)
        Mean of `together` over the other members of the unit's community; NaN without any.
    community_stability : array of shape (n_communities,)
        Mean over partitions of the Jaccard index of the community and its best match, among units
        that the partition has.
    """

    labels: np.ndarray
    together: np.ndarray
    unit_stability: np.ndarray
    community_stability: np.ndarray


def consensus(partitions: np.ndarray, *, seed: int = 0) -> Consensus:
    """Find the partition that agrees best with all.

    Parameters
    ----------
    partitions : array of int of shape (n_partitions, n_units)
        Community of each unit; -1 where the partition lacks it.
    seed : int

    Returns
    -------
    Consensus

    Raises
    ------
    InputError
        If there is no partition.

    Notes
    -----
    The labels minimise the number of disagreements, pairs that one partition joins and the other
    separates, summed over the partitions (median partition, Mirkin's distance). Joining a pair
    gains 1 for each partition that joins it and costs 1 for each that separates it, so the best
    partition maximises sum over joined pairs of (joins - separations): the constant Potts model
    with that matrix as weights, optimised by the Leiden method (Traag et al. 2019). It has no
    threshold and no resolution limit, which modularity of the co-assignment would have.
    Stability of communities: Hennig 2007, Comput. Stat. Data Anal. 52, 258; .75 and above counts
    as stable there.
    """
    partitions = np.asarray(partitions)
    if partitions.ndim != 2 or not partitions.size:
        raise InputError(
            f"partitions of shape {partitions.shape}",
            "one row a partition and one column a unit",
            "give one partition or more",
        )
    joined, both = co_assignments(partitions)
    together = np.divide(joined, both, out=np.full(joined.shape, np.nan), where=both > 0)
    labels = _median_partition(2 * joined - both, seed)
    seen = (partitions >= 0).any(axis=0)
    labels[seen] = by_size(labels[seen])
    labels[~seen] = -1
    return Consensus(
        labels,
        together,
        _unit_stability(labels, together),
        _community_stability(labels, partitions),
    )


def co_assignments(partitions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count partitions that join two units, and those that have both.

    Parameters
    ----------
    partitions : array of int of shape (n_partitions, n_units)
        -1 where the partition lacks a unit.

    Returns
    -------
    joined, both : array of shape (n_units, n_units)
    """
    n_units = partitions.shape[1]
    joined, both = np.zeros((n_units, n_units)), np.zeros((n_units, n_units))
    for labels in partitions:
        present = labels >= 0
        both += np.outer(present, present)
        joined += (labels[:, None] == labels) & present
    return joined, both


def _median_partition(gain: np.ndarray, seed: int) -> np.ndarray:
    """Maximise the summed gain of joined pairs; the best of several starts."""
    import leidenalg

    graph, weights = weighted_graph(gain)
    best = None
    for start in range(_STARTS):
        found = leidenalg.CPMVertexPartition(graph, weights=weights, resolution_parameter=0.0)
        optimiser = leidenalg.Optimiser()
        optimiser.set_rng_seed(seed + start)
        optimiser.consider_comms = leidenalg.ALL_COMMS
        optimiser.optimise_partition(found, n_iterations=-1)
        if best is None or found.quality() > best.quality() + 1e-9:
            best = found
    assert best is not None
    return np.array(best.membership)


def _unit_stability(labels: np.ndarray, together: np.ndarray) -> np.ndarray:
    mates = (labels[:, None] == labels) & (labels >= 0) & np.isfinite(together)
    np.fill_diagonal(mates, False)
    count = mates.sum(axis=1)
    total = np.where(mates, together, 0).sum(axis=1)
    mean: np.ndarray = np.divide(total, count, out=np.full(len(labels), np.nan), where=count > 0)
    return mean


def _community_stability(labels: np.ndarray, partitions: np.ndarray) -> np.ndarray:
    """NaN for a community of which no partition has a unit (there is none such)."""
    scores = np.full((len(partitions), max(int(labels.max()) + 1, 0)), np.nan)
    for row, partition in zip(scores, partitions, strict=True):
        present = partition >= 0
        for community in range(len(row)):
            own = (labels == community) & present
            if own.any():
                rivals = [(partition == c) for c in np.unique(partition[own])]
                row[community] = max((own & c).sum() / (own | c).sum() for c in rivals)
    return np.asarray(np.nanmean(scores, axis=0))
