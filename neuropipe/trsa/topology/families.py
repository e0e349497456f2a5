"""Families of representations side by side: raw and rank RDMs, thresholds, geodesics, homology.

The rank RDM is the baseline of all of them. Against the raw RDM every transform of ranks would also
win or lose by the overall scale of dissimilarities, which ranks do not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.stats.multiple import holm
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.resampling import (
    Interval,
    bootstrap_interval,
    paired_difference_interval,
)
from neuropipe.trsa.topology.geodesic import geodesic
from neuropipe.trsa.topology.grid import CATEGORIES, RANK_CELL, cells, sample_categories
from neuropipe.trsa.topology.items import common_pairs, items_of
from neuropipe.trsa.topology.selection import grid_accuracy, identify_items, nested_accuracy
from neuropipe.trsa.topology.transforms import normalised_ranks

__all__ = [
    "BEST",
    "GEODESIC",
    "NESTED",
    "RANK",
    "RAW",
    "Difference",
    "FamilyAccuracies",
    "Representation",
    "compare_to_rank",
    "family_accuracies",
    "geodesic_vectors",
]

#: From dissimilarities (m, n_pairs) to vectors (m, n_features) whose Euclidean distances count.
Representation = Callable[[np.ndarray], np.ndarray]

RAW, RANK = "raw RDM", "rank RDM"
BEST, NESTED = "best cell (optimistic)", "best cell (nested)"
GEODESIC = "RGDM (0, 0.3)"


@dataclass(frozen=True)
class Difference:
    """How much better one representation is than another in the same subjects.

    Parameters
    ----------
    mean : float
        Mean difference of accuracies.
    interval : tuple of float
        95 % bootstrap interval over subjects.
    p_value : float
        Two-sided, from flipping the signs of the subjects' differences.
    """

    mean: float
    interval: Interval
    p_value: float


def compare_to_rank(
    accuracy: np.ndarray, rank_accuracy: np.ndarray, *, seed: int = 0, n_permutations: int = 9999
) -> Difference:
    """Compare a representation with the rank RDM in the same subjects.

    Parameters
    ----------
    accuracy, rank_accuracy : arrays of shape (s,)
        Of the same subjects in the same order.
    seed : int
    n_permutations : int
        Flips of signs that are drawn; all of them are taken where there are no more than that.

    Raises
    ------
    InputError
        If the shapes differ or a value is not a number.
    UnfitRecordingError
        If there are fewer than two subjects.
    """
    first, second = np.asarray(accuracy, float), np.asarray(rank_accuracy, float)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(f"accuracies {first.shape}, {second.shape}", "one a subject", "pair them")
    difference = first - second
    if not np.isfinite(difference).all():
        raise InputError("accuracies that are not numbers", "numbers", "leave the subjects out")
    interval = paired_difference_interval(first, second, seed=seed)
    n = len(difference)
    if 2**n - 1 <= n_permutations:
        signs = np.array(list(product((1.0, -1.0), repeat=n)))[1:]  # the first flips nothing
    else:
        signs = np.random.default_rng(seed).choice([1.0, -1.0], (n_permutations, n))
    null = np.abs(signs @ difference) / n
    p_value = permutation_p_value(abs(difference.mean()), null)
    return Difference(float(difference.mean()), interval, float(p_value))


def geodesic_vectors(dissimilarities: np.ndarray, *, upper: float = 0.3) -> np.ndarray:
    """Shortest paths over the nearest pairs, as a `Representation`."""
    return geodesic(dissimilarities, 0.0, upper).distances


@dataclass(frozen=True, eq=False)
class FamilyAccuracies:
    """Identification across subjects by every family.

    Parameters
    ----------
    families : tuple of str
    accuracy : array of shape (n_families, s)
        Of each held-out subject.
    table : pandas.DataFrame of length n_families
        ``family``, ``accuracy`` (mean over subjects) with ``low`` and ``high`` ends of its 95 %
        interval, ``difference`` to the rank RDM with ``difference_low``, ``difference_high``,
        ``p_value`` and ``p_holm``; ``optimistic`` is true where the choice of the cell saw the
        held-out subjects: such a family is shown and never tested.
    chance : float
    subjects, labels : tuple of str
    cells : array of shape (k, 2)
    grid : array of shape (k, s)
        Accuracy of every cell.
    best_cell : tuple of float
        Of the highest mean accuracy (optimistic).
    chosen_cells : array of shape (s, 2), or None
        What the nested selection chose for each subject; None with too few subjects for it.
    """

    families: tuple[str, ...]
    accuracy: np.ndarray
    table: pd.DataFrame
    chance: float
    subjects: tuple[str, ...]
    labels: tuple[str, ...]
    cells: np.ndarray
    grid: np.ndarray
    best_cell: tuple[float, float]
    chosen_cells: np.ndarray | None


def family_accuracies(
    dissimilarities: np.ndarray,
    subjects: Sequence[object] | np.ndarray,
    labels: Sequence[object] | np.ndarray,
    *,
    representations: Mapping[str, Representation] | None = None,
    step: float = 0.05,
    n_cells: int = 10,
    seed: int = 0,
    device: str = "cpu",
) -> FamilyAccuracies:
    """Identify labels across subjects by every family of representations.

    Parameters
    ----------
    dissimilarities : array of shape (m, n_pairs)
        NaN where a pair is unknown; raw and rank RDMs and the grid rest on the pairs all RDMs know.
    subjects, labels : sequences of length m
        See `items.items_of`.
    representations : mapping of str to callable, optional
        More families, of all pairs; default: geodesic distances.
    step : float
        Of the grid of thresholds.
    n_cells : int
        Drawn for each category; its accuracy is their mean.
    seed : int
        Of cells, intervals and permutations.
    device : str
        Of torch, for the grid.

    Returns
    -------
    FamilyAccuracies
        Families in the order raw, rank, the categories of the grid, the best cell chosen on the
        data it is scored on, the best cell chosen on the other subjects (where labels have three
        or more), then `representations`.

    Raises
    ------
    UnfitRecordingError
        If a label is known from fewer than two subjects.
    """
    values = np.asarray(dissimilarities, dtype=np.float64)
    items = items_of(subjects, labels)
    grid_cells = cells(step)
    known = values[:, common_pairs(values)]
    ranks = normalised_ranks(known)
    chosen: np.ndarray | None = None
    accuracy: dict[str, np.ndarray] = {RAW: identify_items(known, subjects, labels).accuracy}
    if (items.counts > 0).sum(axis=0).min() >= 3:
        nested = nested_accuracy(ranks, subjects, labels, grid_cells, device=device)
        grid, chosen = nested.grid, grid_cells[nested.chosen]
    else:
        grid = grid_accuracy(ranks, subjects, labels, grid_cells, device=device)
    accuracy[RANK] = grid[_places(grid_cells, np.array([RANK_CELL]))[0]]
    drawn = sample_categories(np.random.default_rng(seed), n_cells, step=step)
    for kind in CATEGORIES:
        accuracy[kind] = grid[_places(grid_cells, drawn[kind])].mean(axis=0)
    best = int(grid.mean(axis=1).argmax())
    accuracy[BEST] = grid[best]
    if chosen is not None:
        accuracy[NESTED] = nested.accuracy
    own = {GEODESIC: geodesic_vectors} if representations is None else representations
    for name, represent in own.items():
        accuracy[name] = identify_items(represent(values), subjects, labels).accuracy
    return FamilyAccuracies(
        families=tuple(accuracy),
        accuracy=np.stack(list(accuracy.values())),
        table=_table(accuracy, seed),
        chance=items.chance,
        subjects=items.subjects,
        labels=items.labels,
        cells=grid_cells,
        grid=grid,
        best_cell=(float(grid_cells[best, 0]), float(grid_cells[best, 1])),
        chosen_cells=chosen,
    )


def _places(grid: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where cells stand in the grid."""
    same = np.isclose(grid[:, None], wanted[None], atol=1e-9).all(axis=-1)
    return np.asarray(same.argmax(axis=0))


def _table(accuracy: Mapping[str, np.ndarray], seed: int) -> pd.DataFrame:
    """Means, intervals, differences to the rank RDM."""
    rows = []
    for name, scores in accuracy.items():
        low, high = bootstrap_interval(scores, seed=seed)
        row = {"family": name, "accuracy": scores.mean(), "low": low, "high": high}
        row |= {"difference": scores.mean() - accuracy[RANK].mean(), "optimistic": name == BEST}
        if name not in (RANK, BEST):
            tested = compare_to_rank(scores, accuracy[RANK], seed=seed)
            row |= {"difference_low": tested.interval[0], "difference_high": tested.interval[1]}
            row["p_value"] = tested.p_value
        rows.append(row)
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p_value"].to_numpy(dtype=np.float64))
    return table
