"""Persistent homology of RDMs: parts, loops and voids that stay while the threshold grows.

The Rips complex of an RDM joins conditions nearer than a threshold. Whether its loops mean anything
is judged beside Gaussian clouds of the same covariance (`homology_null`). Axes: m RDMs, n
conditions, e pairs, t thresholds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neuropipe.errors import InputError, SettingsError
from neuropipe.trsa.rdms import square

__all__ = [
    "Diagrams",
    "Persistence",
    "betti_curves",
    "diagram_distances",
    "ending_bars",
    "largest_persistence",
    "metric_like",
    "persistence",
    "persistence_images",
    "persistence_vectors",
    "total_persistence",
]

#: One array (n_bars, 2) of births and deaths for each dimension of the homology.
Diagrams = tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Persistence:
    """Persistence diagrams of several RDMs.

    Parameters
    ----------
    diagrams : tuple of m tuples of arrays
        For each RDM and dimension the births and deaths, shape (n_bars, 2); a bar that never ends
        dies at infinity.
    n_clipped : array of int of shape (m,)
        Negative dissimilarities that were set to 0.
    """

    diagrams: tuple[Diagrams, ...]
    n_clipped: np.ndarray


def metric_like(
    dissimilarities: np.ndarray, *, squared: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Make dissimilarities fit for a Rips complex.

    Parameters
    ----------
    dissimilarities : array of shape (m, n_pairs) or (n_pairs,)
    squared : bool
        Whether they are squared distances (Euclidean, crossnobis, Mahalanobis) or grow like them
        (correlation distance): then their root is taken.

    Returns
    -------
    distances : array of shape (m, n_pairs)
        At least 0. The triangle inequality may still be broken; homology does not need it.
    n_clipped : array of int of shape (m,)
        Negative dissimilarities, as crossvalidation gives them, that were set to 0.

    Raises
    ------
    InputError
        If a pair is unknown.
    """
    values = np.atleast_2d(np.asarray(dissimilarities, dtype=np.float64))
    if not np.isfinite(values).all():
        raise InputError(
            "an RDM with unknown pairs", "all pairs", "leave out the conditions that lack them"
        )
    clipped = np.maximum(values, 0.0)
    return np.sqrt(clipped) if squared else clipped, (values < 0).sum(axis=1)


def persistence(
    dissimilarities: np.ndarray,
    *,
    max_dimension: int = 1,
    squared: bool = False,
    relative: bool = False,
) -> Persistence:
    """Persistent homology of the Rips complex of each RDM.

    Parameters
    ----------
    dissimilarities : array of shape (m, n_pairs) or (n_pairs,)
        See `metric_like`.
    max_dimension : int
        0 parts, 1 loops as well, 2 voids as well (much slower).
    squared : bool
        See `metric_like`.
    relative : bool
        Whether to divide each RDM by its largest distance, so that diagrams do not depend on scale.

    Returns
    -------
    Persistence
        Births and deaths in the unit of the distances; single precision. Bars of no length are
        left out.

    Raises
    ------
    SettingsError
        If the dimension is not 0, 1 or 2.
    InputError
        If a pair is unknown.

    Notes
    -----
    Computed by ripser (Bauer 2021; Tralie et al. 2018) over the field of two elements.
    """
    if max_dimension not in (0, 1, 2):
        raise SettingsError(f"homology up to dimension {max_dimension}", "0, 1 or 2", "choose one")
    from ripser import ripser

    distances, n_clipped = metric_like(dissimilarities, squared=squared)
    if relative:
        largest = distances.max(axis=1, keepdims=True)
        distances = distances / np.where(largest > 0, largest, 1.0)
    found = [
        ripser(matrix, maxdim=max_dimension, distance_matrix=True)["dgms"]
        for matrix in square(distances)
    ]
    diagrams = tuple(
        tuple(np.asarray(part, dtype=np.float64).reshape(-1, 2) for part in parts)
        for parts in found
    )
    return Persistence(diagrams, n_clipped)


def ending_bars(diagram: np.ndarray) -> np.ndarray:
    """Bars that end, shape (n_ending, 2).

    Parameters
    ----------
    diagram : array of shape (n_bars, 2)
    """
    return np.asarray(diagram[np.isfinite(diagram[:, 1])])


def total_persistence(
    diagrams: Sequence[Diagrams], dimension: int = 1, *, power: float = 1.0
) -> np.ndarray:
    """Sum of the lengths of all bars that end, shape (m,).

    Parameters
    ----------
    diagrams : sequence of m tuples of arrays
    dimension : int
    power : float
        That lengths are raised to before.
    """
    bars = (ending_bars(parts[dimension]) for parts in diagrams)
    return np.array([((own[:, 1] - own[:, 0]) ** power).sum() for own in bars])


def largest_persistence(diagrams: Sequence[Diagrams], dimension: int = 1) -> np.ndarray:
    """Length of the longest bar that ends, shape (m,); 0 without any."""
    bars = (ending_bars(parts[dimension]) for parts in diagrams)
    return np.array([(own[:, 1] - own[:, 0]).max(initial=0.0) for own in bars])


def betti_curves(
    diagrams: Sequence[Diagrams], thresholds: np.ndarray, dimension: int = 1
) -> np.ndarray:
    """Count the bars that are alive at each threshold.

    Parameters
    ----------
    diagrams : sequence of m tuples of arrays
    thresholds : array of shape (t,)
    dimension : int

    Returns
    -------
    array of shape (m, t)
        Bars with ``birth <= threshold < death``.
    """
    at = np.asarray(thresholds, dtype=np.float64)[:, None]
    alive = ((parts[dimension][:, 0] <= at) & (at < parts[dimension][:, 1]) for parts in diagrams)
    return np.array([counts.sum(axis=1) for counts in alive], dtype=np.float64)


def persistence_images(
    diagrams: Sequence[Diagrams],
    dimension: int = 1,
    *,
    n_pixels: int = 12,
    upper: float = 1.0,
    width: float | None = None,
) -> np.ndarray:
    """Blur diagrams into pictures of birth and length.

    Parameters
    ----------
    diagrams : sequence of m tuples of arrays
    dimension : int
    n_pixels : int
        Along each axis.
    upper : float
        Largest birth and length shown; 1 fits relative diagrams.
    width : float, optional
        Standard deviation of the blur; default: a pixel.

    Returns
    -------
    array of shape (m, n_pixels, n_pixels)
        Birth by length; each bar that ends counts by its length, so that a vanishing bar vanishes.

    Notes
    -----
    Adams et al. 2017, with linear weights.
    """
    centres = (np.arange(n_pixels) + 0.5) * upper / n_pixels
    blur = upper / n_pixels if width is None else width

    def bumps(places: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-0.5 * ((centres - places[:, None]) / blur) ** 2))

    images = np.zeros((len(diagrams), n_pixels, n_pixels))
    for image, parts in zip(images, diagrams, strict=True):
        bars = ending_bars(parts[dimension])
        length = bars[:, 1] - bars[:, 0]
        image[:] = (length[:, None] * bumps(bars[:, 0])).T @ bumps(length)
    return images


def persistence_vectors(
    dissimilarities: np.ndarray,
    *,
    max_dimension: int = 1,
    squared: bool = False,
    n_steps: int = 50,
) -> np.ndarray:
    """Represent RDMs by how many parts, loops (and voids) they have at every threshold.

    Parameters
    ----------
    dissimilarities : array of shape (m, n_pairs)
    max_dimension, squared
        See `persistence`.
    n_steps : int
        Thresholds between 0 and the largest distance of each RDM.

    Returns
    -------
    array of shape (m, (max_dimension + 1) n_steps)
        Square roots of the Betti curves, one dimension after the other. Roots weigh counts alike
        whatever their size; without them the many parts would drown the few loops.
    """
    found = persistence(
        dissimilarities, max_dimension=max_dimension, squared=squared, relative=True
    )
    thresholds = np.linspace(0.0, 1.0, n_steps, endpoint=False)
    curves = [betti_curves(found.diagrams, thresholds, k) for k in range(max_dimension + 1)]
    roots: np.ndarray = np.sqrt(np.concatenate(curves, axis=1))
    return roots


def diagram_distances(
    diagrams: Sequence[Diagrams],
    dimension: int = 1,
    *,
    kind: Literal["bottleneck", "wasserstein"] = "bottleneck",
) -> np.ndarray:
    """Distances between the diagrams of one dimension.

    Parameters
    ----------
    diagrams : sequence of m tuples of arrays
        A few dozen: every pair of them takes milliseconds.
    dimension : int
    kind : {"bottleneck", "wasserstein"}
        The longest step, or the sum of all steps, of the best matching of bars with each other or
        with nothing. Bars that never end are left out.

    Returns
    -------
    array of shape (m, m)
        Symmetric, with a diagonal of 0.
    """
    import persim

    measure = getattr(persim, kind)
    bars = [ending_bars(parts[dimension]) for parts in diagrams]
    distances = np.zeros((len(bars), len(bars)))
    for i, one in enumerate(bars):
        for j in range(i):
            if len(one) or len(bars[j]):
                distances[i, j] = distances[j, i] = measure(one, bars[j])
    return distances
