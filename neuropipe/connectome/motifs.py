"""Motifs: the communities of single components, with members, strength and stability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectome.communities.choice import drop_small
from neuropipe.connectome.communities.search import Blocks, fit_blocks
from neuropipe.connectome.factorization import Factors
from neuropipe.connectome.readings import component_graphs
from neuropipe.connectome.tracks import held_together

__all__ = ["Motif", "find_motifs", "member_strength"]


@dataclass(frozen=True)
class Motif:
    """Units that change together, when they do, and in which animals.

    Parameters
    ----------
    component : int
        Component of the factorization that holds it.
    members : array of int
        Units, the strongest first.
    strength : array of shape (n_members,)
        Sum of each member's affinity to the others, above expectation.
    contrast : float
        Mean affinity among members over that of members with all others.
    gain : float
        Nats that blocks save in the component.
    """

    component: int
    members: np.ndarray
    strength: np.ndarray
    contrast: float
    gain: float


def find_motifs(
    factors: Factors,
    n_units: int,
    *,
    degree_corrected: bool,
    n_runs: int,
    min_weight: float,
    seed: int = 0,
) -> tuple[list[Motif], list[Blocks]]:
    """Find the communities of every component.

    Parameters
    ----------
    factors : Factors
    n_units : int
    degree_corrected : bool
    n_runs : int
    min_weight : float
    seed : int

    Returns
    -------
    motifs : list of Motif
        Blocks of three units or more whose members are at least twice as alike as they are to
        others; by component, the strongest first.
    blocks : list of Blocks
        One a component.
    """
    motifs: list[Motif] = []
    partitions = []
    for component, graph in enumerate(component_graphs(factors, n_units)):
        blocks = fit_blocks(
            drop_small(graph, min_weight),
            degree_corrected=degree_corrected,
            n_runs=n_runs,
            seed=seed + component,
        )
        partitions.append(blocks)
        kept = held_together(graph, blocks.labels)
        found = [_motif(graph, blocks, int(k), component) for k in np.unique(kept[kept >= 0])]
        motifs += sorted(found, key=lambda motif: -motif.strength.sum())
    return motifs, partitions


def member_strength(graph: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Sum of each member's affinity to the other members, unknown pairs left out."""
    return np.asarray(np.nansum(graph[np.ix_(members, members)], axis=1))


def _motif(graph: np.ndarray, blocks: Blocks, label: int, component: int) -> Motif:
    members = np.flatnonzero(blocks.labels == label)
    others = np.flatnonzero(blocks.labels != label)
    strength = member_strength(graph, members)
    within = np.nanmean(graph[np.ix_(members, members)][~np.eye(len(members), dtype=bool)])
    between = float(np.nanmean(graph[np.ix_(members, others)]))
    order = np.argsort(-strength, kind="stable")
    contrast = float(within) / between if between > 0 else float("inf")
    return Motif(component, members[order], strength[order], contrast, blocks.gain)
