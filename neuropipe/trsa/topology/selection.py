"""Telling regions apart across subjects, and choosing thresholds without looking at the answer.

Every RDM of a held-out subject is given the region (layer, area, ...) whose mean over the other
subjects is nearest to it. Axes: k cells of the grid, m items (RDMs), s subjects, r labels, e pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuropipe.errors import InputError
from neuropipe.trsa.topology.items import Items, items_of
from neuropipe.trsa.topology.transforms import cell_chunks

if TYPE_CHECKING:
    import torch

__all__ = [
    "Identification",
    "Nested",
    "grid_accuracy",
    "identify",
    "identify_items",
    "nested_accuracy",
]

#: Squared distances that differ by less, relative to the squared length of the vector, are a tie:
#: far above rounding errors, far below what one pair of conditions makes out.
_TIE = 1e-10


@dataclass(frozen=True, eq=False)
class Identification:
    """Who was taken for what.

    Parameters
    ----------
    predicted : array of int of shape (s, r) or (m,)
        Label of the nearest centroid.
    accuracy : array of shape (s,)
        Share of each held-out subject's items that are right.
    """

    predicted: np.ndarray
    accuracy: np.ndarray


def identify(vectors: np.ndarray) -> Identification:
    """Identify regions across subjects, each subject with every region once.

    Parameters
    ----------
    vectors : array of shape (s, r, n_features)
        Any representation of RDMs, without NaN.

    Returns
    -------
    Identification
        See `identify_items`.
    """
    values = np.asarray(vectors, dtype=np.float64)
    n_subjects, n_labels = values.shape[:2]
    places = np.indices((n_subjects, n_labels)).reshape(2, -1)
    found = identify_items(values.reshape(n_subjects * n_labels, -1), *places)
    return Identification(found.predicted.reshape(n_subjects, n_labels), found.accuracy)


def identify_items(
    vectors: np.ndarray,
    subjects: Sequence[object] | np.ndarray,
    labels: Sequence[object] | np.ndarray,
) -> Identification:
    """Identify labels across subjects, leaving one subject out at a time.

    Parameters
    ----------
    vectors : array of shape (m, n_features)
        Any representation of RDMs, without NaN.
    subjects, labels : sequences of length m
        See `items_of`; subjects in the answer stand in sorted order.

    Returns
    -------
    Identification
        A vector is given the label whose centroid over the other subjects' items is nearest
        (Euclidean); the first in sorted order where several are equally near.

    Raises
    ------
    InputError
        If a vector holds NaN.
    UnfitRecordingError
        If a label is known from fewer than two subjects.

    Notes
    -----
    Protocol of Lin & Kriegeskorte 2024.
    """
    import torch

    items = items_of(subjects, labels)
    values = _complete(vectors)
    values = values - values.mean(axis=0)  # a common offset would only cost digits
    order, grouped = items.grouped()
    predicted = np.empty(len(values), dtype=np.int64)
    predicted[order] = _nearest(*_distances(torch.as_tensor(values[order])[None], grouped))[0]
    return Identification(predicted, items.per_subject(predicted == items.label))


def grid_accuracy(
    ranks: np.ndarray,
    subjects: Sequence[object] | np.ndarray,
    labels: Sequence[object] | np.ndarray,
    cells: np.ndarray,
    *,
    device: str | torch.device = "cpu",
    max_bytes: int = 2**26,
) -> np.ndarray:
    """Accuracy of `identify_items` after every geo-topological transform.

    Parameters
    ----------
    ranks : array of shape (m, n_pairs)
        From `transforms.normalised_ranks`, without NaN (`common_pairs`).
    subjects, labels : sequences of length m
    cells : array of shape (k, 2)
        From `grid.cells`.
    device : str or torch.device
    max_bytes : int
        Of transformed vectors held at a time.

    Returns
    -------
    array of shape (k, s)
        Of each held-out subject, in sorted order.

    Notes
    -----
    Distances come from inner products of vectors with the sums of each label, of which the
    subject's own part is taken away; no centroid is formed twice. In float64: predictions are those
    of the plain loop.
    """
    order, items = items_of(subjects, labels).grouped()
    accuracy = np.empty((len(cells), len(items.subjects)))
    chunks = cell_chunks(_complete(ranks)[order], cells, device=device, max_bytes=max_bytes)
    for places, values in chunks:
        predicted = _nearest(*_distances(values, items))
        accuracy[places] = items.per_subject(predicted == items.label)
    return accuracy


@dataclass(frozen=True, eq=False)
class Nested:
    """Accuracy of cells that were chosen without the held-out subject.

    Parameters
    ----------
    accuracy : array of shape (s,)
        Of each held-out subject, at the cell that was best for the others.
    chosen : array of int of shape (s,)
        Which cell that was.
    inner : array of shape (k, s)
        Mean accuracy among the others, one of them held out at a time.
    grid : array of shape (k, s)
        As from `grid_accuracy`: the best of its means is optimistic.
    """

    accuracy: np.ndarray
    chosen: np.ndarray
    inner: np.ndarray
    grid: np.ndarray


def nested_accuracy(
    ranks: np.ndarray,
    subjects: Sequence[object] | np.ndarray,
    labels: Sequence[object] | np.ndarray,
    cells: np.ndarray,
    *,
    device: str | torch.device = "cpu",
    max_bytes: int = 2**26,
) -> Nested:
    """Choose a cell on all subjects but one and score it on that one.

    Parameters
    ----------
    ranks, subjects, labels, cells, device, max_bytes
        See `grid_accuracy`; every label from at least three subjects.

    Returns
    -------
    Nested
        Among equally good cells the one of the widest ``upper - lower`` is chosen (the nearest to
        plain ranks), then the first.

    Raises
    ------
    UnfitRecordingError
        If a label is known from fewer than three subjects.

    Notes
    -----
    All distances of both loops come from the inner products of all items (one matrix a cell).
    """
    items = items_of(subjects, labels, min_subjects=3)
    n_subjects = len(items.subjects)
    grid = np.empty((len(cells), n_subjects))
    inner = np.empty_like(grid)
    chunks = cell_chunks(_complete(ranks), cells, device=device, max_bytes=max_bytes)
    for places, values in chunks:
        products = (values @ values.mT).cpu().numpy()
        for k, gram in zip(range(places.start, places.stop), products, strict=True):
            grid[k], inner[k] = _from_gram(gram, items)
    width = np.round(cells[:, 1] - cells[:, 0], 9)
    best = inner >= inner.max(axis=0) - 1e-12
    chosen = np.where(best, width[:, None], -1.0).argmax(axis=0)
    return Nested(grid[chosen, np.arange(n_subjects)], chosen, inner, grid)


def _complete(vectors: np.ndarray) -> np.ndarray:
    values = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("vectors with unknown pairs", "numbers", "keep the pairs all RDMs know")
    return values


def _distances(values: torch.Tensor, items: Items) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances (k, m, r) to the others' centroids, and squared lengths (k, m).

    Items are grouped by subject.
    """
    import torch

    member = np.eye(len(items.labels))[items.label]
    label = torch.as_tensor(items.label, device=values.device)
    sums = values.new_zeros((len(values), len(items.labels), values.shape[-1]))
    sums.index_add_(1, label, values)
    with_sums = (values @ sums.mT).cpu().numpy()  # (k, m, r)
    sum_squares = (sums * sums).sum(dim=-1).cpu().numpy()  # (k, r)
    others = items.counts.sum(axis=0) - items.counts  # (s, r)
    distances = np.empty_like(with_sums)
    squares = np.empty(with_sums.shape[:2])
    stops = np.cumsum(np.bincount(items.subject))
    for start, stop, n_others in zip([0, *stops], stops, others, strict=False):
        mine = slice(start, stop)
        own = values[:, mine]
        products = (own @ own.mT).cpu().numpy()
        squares[:, mine] = np.diagonal(products, axis1=1, axis2=2)
        own_part = products @ member[mine]  # with the subject's own sums, (k, mine, r)
        own_squares = np.einsum("ir,kir->kr", member[mine], own_part)
        own_with_all = np.einsum("ir,kir->kr", member[mine], with_sums[:, mine])
        norms = sum_squares - 2 * own_with_all + own_squares  # of the others' sums
        distances[:, mine] = _to_centroids(
            squares[:, mine, None], with_sums[:, mine] - own_part, norms[:, None], n_others
        )
    return distances, squares


def _from_gram(gram: np.ndarray, items: Items) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy of each held-out subject, and mean accuracy among the rest, each of shape (s,).

    Axes: s the subject held out by the outer loop, m items of the subject t that the inner one
    holds out, r labels.
    """
    counts = items.counts
    n_subjects, n_labels = counts.shape
    owner, everyone = items.subject, np.arange(len(items.subject))
    belongs = np.zeros((len(owner), n_subjects * n_labels))
    belongs[everyone, owner * n_labels + items.label] = 1
    to_sums = (gram @ belongs).reshape(-1, n_subjects, n_labels)  # (m, s, r)
    crossed = (belongs.T @ to_sums.reshape(len(owner), -1)).reshape((n_subjects, n_labels) * 2)
    between = np.einsum("srtr->str", crossed)  # of two subjects' sums of one label
    squares = np.diagonal(gram)

    # Outer loop: all subjects but t.
    own = to_sums[everyone, owner]  # (m, r)
    product = to_sums.sum(axis=1) - own
    with_all = between.sum(axis=1)  # (s, r)
    own_square = np.einsum("ssr->sr", between)
    norm = with_all.sum(axis=0) - 2 * with_all + own_square
    n_others = counts.sum(axis=0) - counts
    distance = _to_centroids(squares[:, None], product, norm[owner], n_others[owner])
    outer = items.per_subject(_nearest(distance, squares) == items.label)

    # Inner loop: all subjects but s and t.
    product = product[None] - to_sums.swapaxes(0, 1)  # (s, m, r)
    both = norm[None] + (own_square - 2 * with_all)[:, None] + 2 * between  # (s, t, r)
    n_rest = (n_others[None] - counts[:, None])[:, owner]  # (s, m, r)
    distance = _to_centroids(squares[:, None], product, both[:, owner], n_rest)
    correct = _nearest(distance, np.broadcast_to(squares, distance.shape[:2])) == items.label
    by_subject = items.per_subject(correct)  # (s, t); its diagonal means nothing
    np.fill_diagonal(by_subject, 0.0)
    return outer, by_subject.sum(axis=1) / (n_subjects - 1)


def _to_centroids(
    squares: np.ndarray, products: np.ndarray, norms: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """``|v|^2 - 2 <v, sum> / n + |sum|^2 / n^2``; infinity where no item makes up the centroid."""
    n = np.maximum(counts, 1)
    return np.where(counts > 0, squares - 2 * products / n + norms / n**2, np.inf)


def _nearest(distances: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """First label whose distance is the least up to rounding, (..., r) to (...)."""
    slack = _TIE * np.maximum(squares, 1e-300)[..., None]
    near = distances <= distances.min(axis=-1, keepdims=True) + slack
    return np.asarray(near.argmax(axis=-1))
