"""Connectivity of one recording: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectivity.data import Series
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.structure import (
    Likeness,
    homologous_mean,
    homologous_null,
    likeness,
    likeness_null,
    network_contrast,
    network_null,
    same_network,
)
from neuropipe.connectivity.timing import (
    effective_samples,
    false_discoveries,
    halves,
    leave_block_out,
    mean_edge_null,
    n_blocks,
)
from neuropipe.errors import UnfitRecordingError
from neuropipe.stats.connectivity_matrices import (
    correlation,
    edges,
    fisher_z,
    ledoit_wolf,
    partial_correlation,
    standardise,
)
from neuropipe.units import column, homologous_pairs

__all__ = ["RecordingFit", "fit_recording", "regularised"]

_AFFORDABLE = 50_000_000  # edges looked at by all shuffles of one test
_SURROGATES = 200  # circular shifts for the null of the mean


@dataclass(frozen=True)
class RecordingFit:
    """Matrices of a recording, what they are summarised by, and nulls.

    Parameters
    ----------
    correlation, partial : array of shape (n_units, n_units)
    shrinkage : float
        Of the covariance behind `partial`.
    samples : array of shape (n_units, n_units)
        Effective number of frames of each pair.
    significant : array of bool of shape (n_edges,)
        Edges that differ from zero at the false discovery rate `alpha`.
    pairs : array of int of shape (n_pairs, 2)
        Homologues; empty where the units name none.
    membership : array of shape (n_units, n_networks) or None
        None where the units name fewer than two networks.
    summary : dict of str to float
        ``mean``; ``homologous`` and ``contrast``, ``within``, ``between`` where they apply.
    left_out : dict of str to array of shape (n_blocks,)
        ``mean``, ``homologous``, ``contrast`` without each block of time.
    nulls : dict of str to array
        ``mean`` (circular shifts), ``homologous``, ``contrast``, ``split_half`` (shuffled units).
    split_half : Likeness or None
        Of the matrices of the run's halves; None where a unit is constant in one of them.
    """

    correlation: np.ndarray
    partial: np.ndarray
    shrinkage: float
    samples: np.ndarray
    significant: np.ndarray
    pairs: np.ndarray
    membership: np.ndarray | None
    summary: dict[str, float]
    left_out: dict[str, np.ndarray]
    nulls: dict[str, np.ndarray]
    split_half: Likeness | None


def regularised(series: Series, settings: ConnectivitySettings) -> tuple[np.ndarray, float]:
    """Covariance of the standardised series, shrunk as the settings say.

    Parameters
    ----------
    series : Series
    settings : ConnectivitySettings

    Returns
    -------
    covariance : array of shape (n_units, n_units)
        Positive definite.
    shrinkage : float
        0 without shrinkage.

    Raises
    ------
    UnfitRecordingError
        If it is singular: as many units as frames and no shrinkage, or units that are sums of
        others.
    """
    z = standardise(series.values)
    if settings.shrinkage == "ledoit-wolf":
        covariance, shrinkage = ledoit_wolf(z)
    else:
        covariance, shrinkage = correlation(z), 0.0
    smallest = np.linalg.eigvalsh(covariance)[0]
    if smallest <= 1e-10:
        raise UnfitRecordingError(
            f"the covariance of {z.shape[1]} units over {len(z)} frames is singular",
            "more frames than units, or shrinkage: ledoit-wolf",
            "set shrinkage to ledoit-wolf",
        )
    return covariance, shrinkage


def fit_recording(series: Series, settings: ConnectivitySettings, seed: int = 0) -> RecordingFit:
    """Compute the connectivity of one recording and the nulls of its structure.

    Parameters
    ----------
    series : Series
    settings : ConnectivitySettings
    seed : int
        Seed of shuffles and shifts.

    Raises
    ------
    UnfitRecordingError
        See `regularised`.
    """
    rng = np.random.default_rng(seed)
    matrix = correlation(series.values)
    covariance, shrinkage = regularised(series, settings)
    pairs = homologous_pairs(series.units)
    networks = column(series.units, "network")
    membership = None if networks is None else same_network(networks)
    if membership is not None and not np.isfinite(network_contrast(matrix, membership)).all():
        membership = None  # every network holds one unit
    names = ["mean", *(["homologous"] if len(pairs) else [])]
    names += ["contrast"] if membership is not None else []

    def summaries(r: np.ndarray) -> np.ndarray:
        values = [(r.sum() - np.trace(r)) / (len(r) * (len(r) - 1))]
        if len(pairs):
            values.append(homologous_mean(r, pairs))
        if membership is not None:
            within, between = network_contrast(r, membership)
            values.append(within - between)
        return np.array(values)

    summary = dict(zip(names, map(float, summaries(matrix)), strict=True))
    if membership is not None:
        summary["within"], summary["between"] = network_contrast(matrix, membership)
    blocks = n_blocks(len(series.values), series.sampling_rate, settings.block_length)
    draws = leave_block_out(series.values, blocks, summaries)
    shift = min(
        max(1, round(settings.block_length * series.sampling_rate)), len(series.values) // 4
    )
    n_edges = matrix.shape[0] * (matrix.shape[0] - 1) // 2
    shuffles = int(np.clip(_AFFORDABLE // n_edges, 99, settings.n_shuffles))
    nulls = {"mean": mean_edge_null(series.values, _SURROGATES, shift, rng)}
    if len(pairs):
        nulls["homologous"] = homologous_null(matrix, pairs, settings.n_shuffles, rng)
    if membership is not None:
        nulls["contrast"] = network_null(matrix, membership, shuffles, rng)
    first, second = halves(series.values)
    split_half = None
    if np.isfinite(first).all() and np.isfinite(second).all():
        split_half = likeness(first, second)
        nulls["split_half"] = likeness_null(first, second, shuffles, rng)
    samples = effective_samples(series.values)
    return RecordingFit(
        correlation=matrix,
        partial=partial_correlation(covariance),
        shrinkage=shrinkage,
        samples=samples,
        significant=false_discoveries(fisher_z(edges(matrix)), edges(samples), settings.alpha),
        pairs=pairs,
        membership=membership,
        summary=summary,
        left_out=dict(zip(names, draws.T, strict=True)),
        nulls=nulls,
        split_half=split_half,
    )
