"""The shape of an RDM beside that of Gaussian clouds of the same covariance.

Random clouds have loops too, and how many depends on their covariance: a count or a length alone
says nothing. Axes: n conditions, e pairs, t thresholds, d draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.errors import SettingsError, UnfitRecordingError
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.trsa.rdms import square
from neuropipe.trsa.topology.homology import (
    betti_curves,
    ending_bars,
    largest_persistence,
    metric_like,
    persistence,
    total_persistence,
)

__all__ = ["HomologyTest", "embedding_variances", "gaussian_clouds", "homology_test"]


@dataclass(frozen=True, eq=False)
class HomologyTest:
    """Persistence of an RDM beside that of Gaussian clouds.

    Parameters
    ----------
    dimension : int
        Of the homology.
    total, largest : float
        Total and largest persistence, in units of the root mean square distance.
    null_total, null_largest : arrays of shape (d,)
        The same of the clouds.
    p_total, p_largest : float
        One-sided: as much persistence by chance.
    bars : array of shape (n_bars, 2)
        The persistence diagram: birth and death of all that ends, longest-lived first.
    thresholds : array of shape (t,)
        In units of the root mean square distance.
    betti : array of shape (t,)
    band : array of shape (2, t)
        Pointwise 2.5 and 97.5 % quantiles of the clouds' Betti curves.
    n_clipped : int
        Negative dissimilarities that were set to 0.
    """

    dimension: int
    total: float
    largest: float
    null_total: np.ndarray
    null_largest: np.ndarray
    p_total: float
    p_largest: float
    bars: np.ndarray
    thresholds: np.ndarray
    betti: np.ndarray
    band: np.ndarray
    n_clipped: int


def embedding_variances(distances: np.ndarray) -> np.ndarray:
    """Variances along the axes of the Euclidean embedding of an RDM.

    Parameters
    ----------
    distances : array of shape (n_pairs,)
        At least 0, not squared.

    Returns
    -------
    array of shape (n_axes,)
        Descending. Axes of negative squared length, which distances have that no Euclidean space
        can hold, are left out.

    Raises
    ------
    UnfitRecordingError
        If all conditions coincide.

    Notes
    -----
    Classical multidimensional scaling (Torgerson 1952), divided by n - 1.
    """
    squares = square(np.asarray(distances, dtype=np.float64) ** 2)
    n = len(squares)
    centred = squares - squares.mean(axis=0)
    centred = -0.5 * (centred - centred.mean(axis=1, keepdims=True))
    values = np.linalg.eigvalsh(centred)[::-1] / (n - 1)
    kept = values[values > 1e-10 * max(values[0], 0.0)]
    if values[0] <= 0 or not len(kept):
        raise UnfitRecordingError("an RDM of zeros", "conditions that differ", "leave it out")
    return np.asarray(kept)


def gaussian_clouds(
    variances: np.ndarray, n_conditions: int, n_draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Distances within clouds of independent Gaussian points.

    Parameters
    ----------
    variances : array of shape (n_axes,)
        Along the axes.
    n_conditions, n_draws : int
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (n_draws, n_pairs)
        Euclidean.
    """
    from scipy.spatial.distance import pdist

    points = rng.standard_normal((n_draws, n_conditions, len(variances))) * np.sqrt(variances)
    return np.array([pdist(cloud) for cloud in points])


def homology_test(
    dissimilarities: np.ndarray,
    rng: np.random.Generator,
    *,
    patterns: np.ndarray | None = None,
    dimension: int = 1,
    squared: bool = False,
    n_draws: int = 99,
    n_steps: int = 60,
) -> HomologyTest:
    """Compare the persistence of an RDM with Gaussian clouds of matched covariance.

    Parameters
    ----------
    dissimilarities : array of shape (n_pairs,)
    rng : numpy.random.Generator
    patterns : array of shape (n, n_channels), optional
        What the RDM was measured on: its covariance is matched then; default: that of the RDM's
        own Euclidean embedding.
    dimension : int
        1 for loops, 2 for voids, 0 for parts.
    squared : bool
        See `homology.metric_like`; true for correlation and crossvalidated distances.
    n_draws : int
        Clouds; at least 19 for a p value of .05.
    n_steps : int
        Thresholds of the Betti curves, from 0 to the longest-lived death.

    Returns
    -------
    HomologyTest

    Raises
    ------
    SettingsError
        If no cloud is asked for.
    InputError
        If a pair is unknown.
    UnfitRecordingError
        If all conditions coincide.

    Notes
    -----
    Every RDM, and every cloud, is divided by its root mean square distance: shapes are compared,
    not sizes.
    """
    if n_draws < 1:
        raise SettingsError(f"{n_draws} clouds", "at least 1", "draw some")
    distances, n_clipped = metric_like(np.ravel(dissimilarities), squared=squared)
    variances = embedding_variances(distances[0])
    if patterns is not None:
        values = np.asarray(patterns, dtype=np.float64)
        singular = np.linalg.svd(values - values.mean(axis=0), compute_uv=False)
        variances = singular**2 / (len(values) - 1)
    n_conditions = square(distances).shape[-1]
    clouds = gaussian_clouds(variances, n_conditions, n_draws, rng)
    everything = np.concatenate([distances, clouds])
    everything /= np.sqrt((everything**2).mean(axis=1, keepdims=True))
    diagrams = persistence(everything, max_dimension=dimension).diagrams
    total = total_persistence(diagrams, dimension)
    largest = largest_persistence(diagrams, dimension)
    bars = ending_bars(diagrams[0][dimension])
    deaths = np.concatenate([parts[dimension][:, 1] for parts in diagrams])
    thresholds = np.linspace(0.0, deaths[np.isfinite(deaths)].max(initial=1e-12), n_steps)
    betti = betti_curves(diagrams, thresholds, dimension)
    return HomologyTest(
        dimension=dimension,
        total=float(total[0]),
        largest=float(largest[0]),
        null_total=total[1:],
        null_largest=largest[1:],
        p_total=float(permutation_p_value(total[0], total[1:])),
        p_largest=float(permutation_p_value(largest[0], largest[1:])),
        bars=bars[np.argsort(bars[:, 0] - bars[:, 1], kind="stable")],
        thresholds=thresholds,
        betti=betti[0],
        band=np.quantile(betti[1:], [0.025, 0.975], axis=0),
        n_clipped=int(n_clipped[0]),
    )
