"""Communities over windows of time: which of them hold together, and which of them go on.

Axis legend: k windows, n units.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

__all__ = ["held_together", "tracked"]

_FEWEST = 3  # members of a community
_CONTRAST = 2.0  # least affinity among members over that of members with others
_SAME = 1 / 3  # least Jaccard index of a community and its next: equal sizes, half in common


def held_together(graph: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Keep the blocks that are communities: a block model also has blocks of what is left over.

    Parameters
    ----------
    graph : array of shape (n, n)
        Affinity above expectation; NaN where nothing is known.
    labels : array of int of shape (n,)

    Returns
    -------
    array of int of shape (n,)
        As `labels`; -1 in blocks of fewer than three units, or whose members are less than twice as
        alike as they are to others.
    """
    kept = np.full(len(labels), -1)
    for label in np.unique(labels[labels >= 0]):
        inside = labels == label
        if inside.sum() < _FEWEST or inside.all():
            continue
        pairs = ~np.eye(int(inside.sum()), dtype=bool)
        within = _mean(graph[np.ix_(inside, inside)][pairs])
        if within > _CONTRAST * _mean(graph[np.ix_(inside, ~inside)]):
            kept[inside] = label
    return kept


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else 0.0


def tracked(partitions: np.ndarray) -> np.ndarray:
    """Number communities alike that are the same in several windows.

    Each window's communities are matched one to one to those known from the windows before it, for
    the largest total Jaccard index (Hungarian method). One that shares less than a third of its
    members (Jaccard) with its match is new.

    Parameters
    ----------
    partitions : array of int of shape (k, n)
        Community of each unit; below 0 for none.

    Returns
    -------
    array of int of shape (k, n)
        From 0, in the order in which communities appear; -1 for none.
    """
    numbers = np.full(np.shape(partitions), -1)
    known: list[list[np.ndarray]] = []  # of each number, its members in every window that has it
    for row, found in zip(numbers, np.asarray(partitions), strict=True):
        # By their first units: what the labels are called must not break ties.
        members = [found == label for label in dict.fromkeys(found[found >= 0].tolist())]
        overlap = np.zeros((len(members), len(known)))
        for i, own in enumerate(members):
            for j, before in enumerate(known):
                overlap[i, j] = max((own & one).sum() / (own | one).sum() for one in before)
        match = dict(zip(*linear_sum_assignment(overlap, maximize=True), strict=True))
        for i, own in enumerate(members):
            number = match.get(i)
            if number is None or overlap[i, number] < _SAME:
                number = len(known)
                known.append([])
            known[number].append(own)
            row[own] = number
    return numbers
